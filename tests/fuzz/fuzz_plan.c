// Any bytes as the picture of a plan: a snapshot, a list of objects, manifests. Whatever is accepted is lived
// with for half an hour: the core stands any cluster that can be written down.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/json.h"
#include "coordinator/plan/manifest.h"
#include "coordinator/plan/report.h"
#include "coordinator/plan/whatif.h"

#define AT_MS       ((int64_t)1767225600000)
#define MINUTE_MS   ((int64_t)60000)
#define OBJECTS_MAX 200u // a plan of more says nothing new about reading

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_picture(struct source *source, const char *bytes, size_t size)
{
    struct error error = {0};
    if (size > 0 && bytes[0] != '{' && bytes[0] != '[')
        return manifest_read(source, bytes, size, "fuzz.yaml", &error) == 0;
    cJSON *document = json_parse(bytes, size, &error);
    return document != NULL && source_add_document(source, document, "fuzz.json", &error) == 0;
}

static void live(struct source *source)
{
    struct core_config config = core_config_default();
    struct future *future = future_create(source, &config, NULL);
    cJSON *report = report_begin(future, 30 * MINUTE_MS);
    future_live(future, future->begin_ms + 30 * MINUTE_MS);
    report_end(report, future, 20);
    assert(json_true(report, "comesToRest"));
    struct screen screen = {.width = 100};
    report_show(&screen, report);
    text_free(&screen.out);
    cJSON_Delete(report);
    future_destroy(future);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data, size);
    bytes[size] = '\0';
    struct source *source = source_create();
    struct error error = {0};
    if (read_picture(source, bytes, size) && source->object_count < OBJECTS_MAX) {
        whatif_set(source, "general.maxNodes=9", &error);
        whatif_set(source, "shop/web=+3", &error);
        if (source->at_ms <= 0)
            source->at_ms = AT_MS;
        live(source);
    }
    source_destroy(source);
    free(bytes);
    return 0;
}
