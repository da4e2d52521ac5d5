// What this room is for: VPSie's answers, any bytes at all, through every reader of the door. The first byte
// chooses the call's use and the HTTP status, the rest is the body.
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "coordinator/vpsie/account.h"
#include "coordinator/vpsie/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_machines(const struct machine_facts *machines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct machine_facts *machine = &machines[i];
        assert(strlen(machine->identifier) <= ANSWER_TEXT_BYTES &&
               strlen(machine->hostname) <= ANSWER_TEXT_BYTES);
        assert(machine->id >= 0 && machine->created_ms >= 0 && machine->cpu >= 0 && machine->memory_mb >= 0);
        assert(machine->id != 0 || machine->identifier[0] != '\0' || machine->hostname[0] != '\0');
        assert(machine->status != NULL && machine->default_ip != NULL && machine->private_ip != NULL);
    }
}

static void read_lists(const struct answer *answer)
{
    struct arena *arena = arena_create(1024);
    struct error error = {0};
    uint32_t count = 0;
    const struct machine_facts *machines = NULL;
    const struct vpsie_group_facts *groups = NULL;
    const struct offer_facts *offers = NULL;
    const char *const *clusters = NULL;
    if (answer_machines(answer, "c1", arena, &machines, &count, &error) == 0) {
        check_machines(machines, count);
    } else {
        assert(text_starts_with(error.text, "VPSie's answer"));
    }
    if (answer_groups(answer, arena, &groups, &count, &error) == 0) {
        for (uint32_t i = 0; i < count; i++) {
            assert(groups[i].id > 0 || groups[i].name[0] != '\0');
            assert(groups[i].nodes_count >= 0 && groups[i].datacenter_id != NULL);
        }
    }
    if (answer_offers(answer, arena, &offers, &count, &error) == 0) {
        for (uint32_t i = 0; i < count; i++) {
            assert(offers[i].id > 0 && offers[i].price_hour >= 0 && offers[i].name != NULL);
        }
    }
    if (answer_clusters(answer, arena, &clusters, &count, &error) == 0) {
        for (uint32_t i = 0; i < count; i++) {
            assert(clusters[i][0] != '\0');
        }
    }
    const struct machine_facts *ordered = answer_ordered(answer, arena);
    check_machines(ordered, ordered != NULL ? 1 : 0);
    assert(answer_created_group(answer) >= 0);
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 201, 204, 302, 400, 401, 403, 404, 409, 429, 500, 503};
    if (size == 0) {
        return 0;
    }
    enum answer_use use = (enum answer_use)(data[0] & 3);
    int status = statuses[(data[0] >> 2) % (sizeof statuses / sizeof statuses[0])];
    struct http_response response = {.result = HTTP_ANSWERED, .status = status, .sent = true};
    text_append_bytes(&response.body, data + 1, size - 1);
    struct answer answer;
    answer_read(&response, use, &answer);
    assert(strlen(answer.detail) < ANSWER_DETAIL_MAX + 100);
    assert(text_utf8_length(answer.detail, strlen(answer.detail)) > 0 || answer.detail[0] == '\0');
    // An order counts as done only by a 2xx whose body says so, and as refused only by a 4xx or an error in
    // it.
    if (use == ANSWER_ORDER && answer.outcome == OUTCOME_OK) {
        assert(status >= 200 && status <= 299 && (answer.root != NULL || status == 204));
    }
    if (use == ANSWER_ORDER && (answer.outcome == OUTCOME_REFUSED || answer.outcome == OUTCOME_LIMITED)) {
        assert((status >= 400 && status <= 499) || answer.error_inside);
    }
    int64_t expires_ms = 0;
    const char *token = answer_token(&answer, &expires_ms);
    assert(token == NULL || (token[0] != '\0' && expires_ms >= 0));
    read_lists(&answer);
    answer_free(&answer);
    http_response_free(&response);
    return 0;
}
