// What an agent can send: its report becomes an event that holds nothing of the message any more, and the end
// of its token is found or not, whatever stands in it.
#include <stdlib.h>
#include <string.h>

#include "coordinator/fleet/members.h"
#include "coordinator/fleet/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_verdict(const struct evidence_verdict *verdict)
{
    require(verdict->reason_count <= WIRE_REASONS_MAX && verdict->pods_remaining <= WIRE_PODS_MAX);
    for (uint32_t i = 0; i < verdict->reason_count; i++)
        require(strlen(verdict->reasons[i].code) > 0 &&
                strlen(verdict->reasons[i].detail) <= WIRE_TEXT_BYTES_MAX);
}

static void check_event(const struct agent_report_facts *facts)
{
    require(facts->node_name[0] != '\0' && strlen(facts->node_name) <= WIRE_NODE_NAME_BYTES_MAX);
    require(facts->pod_count <= WIRE_PODS_MAX && facts->pods_gone_count <= WIRE_PODS_MAX);
    for (uint32_t i = 0; i < facts->pod_count; i++) {
        require(wire_check_uid(facts->pods[i].uid, NULL) == 0);
        require(strlen(facts->pods[i].unknown) <= WIRE_TEXT_BYTES_MAX);
        require(facts->pods[i].largest_volume_bytes == 0 || facts->pods[i].largest_volume[0] != '\0');
    }
    for (uint32_t i = 0; i < facts->pods_gone_count; i++)
        require(wire_check_uid(facts->pods_gone[i], NULL) == 0);
    check_verdict(&facts->verdict);
    check_verdict(&facts->directive_verdict);
}

static void fuzz_report(const uint8_t *bytes, size_t length)
{
    WireReport *report = wire_report_decode(bytes, length, NULL, NULL);
    if (report == NULL)
        return;
    struct event *event = report_event(report, 1700000000000);
    memset(report->credential, 'x', strlen(report->credential));
    wire_report_free(report);
    check_event(event->report);
    event_destroy(event);
}

static void fuzz_token(const uint8_t *bytes, size_t length)
{
    char *token = malloc(length + 1);
    require(token != NULL);
    memcpy(token, bytes, length);
    token[length] = '\0';
    require(members_token_end_ms(token) >= 0);
    free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    if (bytes[0] % 2 == 0)
        fuzz_report(bytes + 1, length - 1);
    else
        fuzz_token(bytes + 1, length - 1);
    return 0;
}
