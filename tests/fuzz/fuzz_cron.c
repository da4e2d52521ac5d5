// Any bytes: refused with a reason, or a schedule whose next opening is one.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size == 0 ? 1 : size); // exactly as long, so that reading on is seen
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    struct cron cron;
    struct error error = {0};
    const int64_t now_ms = 1767225600000;
    if (cron_parse(text, size, &cron, &error) != 0) {
        if (error.text[0] == '\0')
            abort();
    } else {
        int64_t next_ms = cron_opens_next(&cron, now_ms);
        if (next_ms != INT64_MIN && (next_ms <= now_ms || !cron_opens(&cron, next_ms)))
            abort();
        if (next_ms != INT64_MIN && cron_opened(&cron, next_ms, 60000) != next_ms)
            abort();
    }
    free(text);
    return 0;
}
