// Whatever the bytes are, a request is understood within its limits or refused with a reason; and a reply
// that is shown to a person never carries a control character of its own to the terminal.
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/admin/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_request(const char *bytes, size_t length)
{
    struct error error = {0};
    struct admin_request *request = admin_request_parse(bytes, length, &error);
    if (request == NULL) {
        require(error.text[0] != '\0');
        return;
    }
    require(length <= ADMIN_REQUEST_BYTES_MAX && request->command < ADMIN_COMMAND_COUNT);
    require(strlen(request->node) <= 253 && strlen(request->group) <= 253 && strlen(request->reason) <= 253);
    require(request->command != ADMIN_EXPLAIN || request->node[0] != '\0' || request->pod[0] != '\0' ||
            request->space[0] != '\0' || request->group[0] != '\0');
    struct event *event = admin_request_event(request);
    require((event != NULL) == (request->command >= ADMIN_PAUSE));
    event_destroy(event);
    admin_request_free(request);
}

static void check_screen(const char *bytes, size_t length)
{
    cJSON *json = cJSON_ParseWithLength(bytes, length);
    for (int command = 0; json != NULL && command < ADMIN_COMMAND_COUNT; command++) {
        struct screen screen = {.width = 100};
        client_show(&screen, (enum admin_command)command, json, true);
        const char *shown = text_get(&screen.out);
        for (size_t i = 0; i < screen.out.length; i++)
            require((unsigned char)shown[i] >= ' ' || shown[i] == '\n');
        text_free(&screen.out);
    }
    cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    check_request((const char *)bytes, length);
    check_screen((const char *)bytes, length);
    return 0;
}
