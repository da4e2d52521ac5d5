// Whatever a file of the host, a directory name or an answer holds: each of the agent's parsers ends, stays
// within its memory, and what it lets through is fit to be sent. The first byte chooses the parser.
#include <stdlib.h>
#include <string.h>

#include "agent/host/cgroups.h"
#include "agent/host/connections.h"
#include "agent/host/cpu.h"
#include "agent/host/inhibitors.h"
#include "agent/host/memory.h"
#include "agent/host/network.h"
#include "agent/host/pressure.h"
#include "agent/host/processes.h"
#include "agent/orders.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_text(const char *text, size_t room)
{
    size_t length = strnlen(text, room);
    require(length < room);
    while (*text) {
        size_t step = text_utf8_length(text, strlen(text));
        require(step > 0 && (unsigned char)*text >= ' ' && *text != 0x7f);
        text += step;
    }
}

static void fuzz_node(struct lines *lines, unsigned char which)
{
    struct cpu_counters cpu;
    struct memory_view memory;
    struct pressure_view pressure;
    struct network_counters network;
    uint32_t millis[CPU_MODES];
    struct error error = {0};
    int result = 0;
    switch (which) {
    case 0:
        result = cpu_parse(lines, &cpu, &error);
        if (result == 0) {
            struct cpu_counters none = {.cpus = cpu.cpus};
            cpu_rates(&none, &cpu, millis);
        }
        break;
    case 1:
        result = memory_parse(lines, &memory, &error);
        require(result < 0 || memory.working_set_bytes <= memory.total_bytes);
        break;
    case 2:
        result = pressure_parse(lines, &pressure, &error);
        require(result < 0 || (pressure.some_avg10 >= 0 && pressure.full_avg60 <= 100));
        break;
    default: result = network_parse(lines, -1, &network, &error); break;
    }
    require(result == 0 || error.text[0] != '\0');
}

static void fuzz_pods(struct lines *lines, const char *text, unsigned char which)
{
    char uid[WIRE_UID_BYTES_MAX + 1];
    uint64_t value;
    uint32_t count;
    switch (which) {
    case 0: cgroup_parse_key(lines, "usage_usec", &value, NULL); break;
    case 1: require(!cgroup_pod_uid(text, uid) || wire_check_uid(uid, NULL) == 0); break;
    case 2: processes_parse_state(text); break;
    case 3: connections_parse(lines, &count, NULL); break;
    default: connections_parse_current(lines, &value); break;
    }
}

static void fuzz_texts(const char *text, size_t length, unsigned char which)
{
    struct inhibitor inhibitor = {0};
    char shown[40];
    double a, b, c;
    switch (which) {
    case 0:
        inhibitors_parse(text, length, 1700000000000, &inhibitor);
        require(inhibitor.reason[0] != '\0' && inhibitor.expires_ms >= 0);
        require_text(inhibitor.reason, sizeof inhibitor.reason);
        break;
    case 1:
        source_clean_text(shown, sizeof shown, text, length);
        require_text(shown, sizeof shown);
        source_clean_name(shown, sizeof shown, text);
        require_text(shown, sizeof shown);
        break;
    default: load_parse(text, &a, &b, &c, NULL); break;
    }
}

static void fuzz_orders(const uint8_t *bytes, size_t length)
{
    struct readiness_question question;
    struct orders orders;
    orders_init(&orders, 10000);
    for (int round = 0; round < 2; round++) {
        WireAck *ack = wire_ack_decode(bytes, length, NULL);
        if (!ack)
            break;
        orders_take(&orders, ack);
        require(orders_interval_ms(&orders) <= WIRE_INTERVAL_MS_MAX);
        require(orders_question(&orders, &question) == (orders_drain_id(&orders) != NULL));
        orders.answered = true;
        orders_expire(&orders, 1700000000000);
    }
    orders_free(&orders);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    unsigned char which = bytes[0] % 16;
    bytes++;
    length--;
    char *text = malloc(length + 1);
    require(text != NULL);
    memcpy(text, bytes, length);
    text[length] = '\0';
    struct lines lines;
    lines_from_memory(&lines, text, length);
    if (which < 4)
        fuzz_node(&lines, which);
    else if (which < 9)
        fuzz_pods(&lines, text, (unsigned char)(which - 4));
    else if (which < 12)
        fuzz_texts(text, length, (unsigned char)(which - 9));
    else
        fuzz_orders(bytes, length);
    free(text);
    return 0;
}
