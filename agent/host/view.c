#include "agent/host/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/host/source.h"

void reading_known(struct reading *reading)
{
    reading->known = true;
    reading->why[0] = '\0';
}

int reading_unknown(struct reading *reading, const char *format, ...)
{
    char text[2 * VIEW_WHY_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reading->known = false;
    source_clean_text(reading->why, sizeof reading->why, text, strlen(text));
    return -1;
}

const struct pod *view_find_pod(const struct host_view *view, const char *uid)
{
    size_t low = 0, high = view->pod_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(view->pod[middle].uid, uid);
        if (order == 0)
            return &view->pod[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *pressure_name(enum pressure_resource resource)
{
    static const char *const names[PRESSURE_RESOURCES] = {"cpu", "memory", "io"};
    return names[resource];
}

const char *evidence_name(enum evidence kind)
{
    static const char *const names[EVIDENCE_KINDS] = {"cpu", "memory", "local-data", "connections",
                                                      "processes"};
    return names[kind];
}
