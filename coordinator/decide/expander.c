#include "coordinator/decide/expander.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const EXPANDERS[] = {
    [EXPANDER_PRICE] = "price",         [EXPANDER_LEAST_WASTE] = "least-waste",
    [EXPANDER_MOST_PODS] = "most-pods", [EXPANDER_PRIORITY] = "priority",
    [EXPANDER_RANDOM] = "random",
};
#define EXPANDER_COUNT (sizeof(EXPANDERS) / sizeof(EXPANDERS[0]))

bool expander_parse(const char *text, enum expander *out)
{
    for (size_t i = 0; i < EXPANDER_COUNT; i++)
        if (strcmp(text, EXPANDERS[i]) == 0) {
            *out = (enum expander)i;
            return true;
        }
    return false;
}

const char *expander_name(enum expander expander)
{
    assert(expander < EXPANDER_COUNT);
    return EXPANDERS[expander];
}
