#include "coordinator/kube/secret.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "coordinator/kube/base64.h"
#include "coordinator/kube/json.h"

#define ITEMS_MAX 64u

int secret_deliver(const cJSON *json, kube_secret_sink sink, void *context, struct error *error)
{
    struct kube_secret_item items[ITEMS_MAX];
    struct text values[ITEMS_MAX];
    uint32_t count = 0;
    int result = 0;
    memset(values, 0, sizeof(values));
    const cJSON *member;
    cJSON_ArrayForEach(member, json_get(json, "data"))
    {
        if (count == ITEMS_MAX)
            break;
        struct text *value = &values[count];
        if (!cJSON_IsString(member) ||
            base64_decode(member->valuestring, strlen(member->valuestring), value, NULL) < 0) {
            result = error_set(error, 0, "Secret %s: the value of %.60s is not base64",
                               json_text(json_get(json, "metadata"), "name"), member->string);
            continue;
        }
        items[count++] = (struct kube_secret_item){.key = member->string, .value = text_get(value)};
    }
    sink(context, items, count);
    for (uint32_t i = 0; i < ITEMS_MAX; i++) {
        if (values[i].bytes)
            explicit_bzero(values[i].bytes, values[i].capacity);
        text_free(&values[i]);
    }
    return result;
}
