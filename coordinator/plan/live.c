#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/http.h"
#include "coordinator/kube/api.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/plan/source.h"

#define PAGE_LIMIT     500
#define PAGE_BYTES_MAX (256u << 20)

// One page; its document goes to the source. *proceed is the token of the next, "" at the end.
static int read_page(struct source *source, struct api *api, const struct kind *kind, char **proceed,
                     struct error *error)
{
    AUTOTEXT struct text path = {0};
    text_printf(&path, "%s?limit=%d", kind->path, PAGE_LIMIT);
    if (kind->field_selector[0] != '\0')
        text_printf(&path, "&fieldSelector=%s", kind->field_selector);
    if (**proceed != '\0') {
        text_append(&path, "&continue=");
        http_escape(&path, *proceed);
    }
    struct api_request request = {.verb = "list",
                                  .kind = kind->name,
                                  .method = "GET",
                                  .path = text_get(&path),
                                  .response_bytes_max = PAGE_BYTES_MAX};
    struct api_reply AUTOREPLY reply = {0};
    api_read(api, &request, &reply);
    free(*proceed);
    *proceed = xstrdup("");
    if (kind->custom && reply.status == 404)
        return 0; // its definition is not installed: there are none
    if (!api_succeeded(&reply) || reply.json == NULL)
        return error_set(error, 0, "listing %s: %s", kind->name,
                         reply.message[0] != '\0' ? reply.message : "the answer is no JSON");
    free(*proceed);
    *proceed = xstrdup(json_text(json_get(reply.json, "metadata"), "continue"));
    cJSON *document = reply.json;
    reply.json = NULL;
    return source_add_document(source, document, kind->name, error);
}

static int read_all(struct source *source, struct api *api, struct error *error)
{
    int result = 0;
    for (int k = 0; k < OBJECT_KIND_COUNT && result == 0; k++) {
        char *proceed = xstrdup("");
        do {
            result = read_page(source, api, &kinds[k], &proceed, error);
        } while (result == 0 && *proceed != '\0');
        free(proceed);
    }
    return result;
}

int source_add_live(struct source *source, const char *kubeconfig, const char *context, struct error *error)
{
    struct access_environment environment = access_environment();
    struct access access = {0};
    int result = access_load(kubeconfig, context, &environment, &access, error);
    if (result == 0) {
        struct api_options options = {.access = &access, .read_only = true};
        struct api *api = api_create(&options);
        result = read_all(source, api, error);
        api_stop(api);
        api_destroy(api);
        free(source->origin);
        source->origin = xprintf("live, %s", access.origin);
        source->at_ms = clock_wall_ms();
    }
    access_free(&access);
    return result;
}
