// Any bytes: refused with a reason, or an amount that is the same in both units.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size == 0 ? 1 : size); // exactly as long, so that reading on is seen
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    int64_t millis = 0;
    int64_t units = 0;
    struct error error = {0};
    int parsed = quantity_parse_millis(text, size, &millis, &error);
    if (quantity_parse_units(text, size, &units, NULL) != parsed)
        abort();
    if (parsed != 0) {
        if (error.text[0] == '\0')
            abort();
    } else if (millis != INT64_MAX && millis != -INT64_MAX) {
        int64_t whole = millis / 1000 + (millis % 1000 > 0) - (millis % 1000 < 0);
        if (whole != units)
            abort();
    }
    char buffer[32];
    quantity_format_cpu(buffer, sizeof(buffer), millis);
    quantity_format_memory(buffer, sizeof(buffer), units);
    free(text);
    return 0;
}
