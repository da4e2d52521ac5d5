#include "agent/host/pressure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool average(const char *line, const char *key, double *out)
{
    const char *at = strstr(line, key);
    if (!at)
        return false;
    at += strlen(key);
    return scan_decimal(&at, out) && *out <= 100.0;
}

static bool averages(const char *line, double *avg10, double *avg60)
{
    return average(line, " avg10=", avg10) && average(line, " avg60=", avg60);
}

int pressure_parse(struct lines *lines, struct pressure_view *out, struct error *error)
{
    *out = (struct pressure_view){0};
    bool some = false;
    for (const char *line; (line = lines_next(lines));) {
        bool right = true;
        if (strncmp(line, "some ", 5) == 0)
            right = some = averages(line, &out->some_avg10, &out->some_avg60);
        else if (strncmp(line, "full ", 5) == 0)
            right = averages(line, &out->full_avg10, &out->full_avg60);
        if (!right)
            return error_set(error, EPROTO, "pressure averages are malformed");
    }
    if (lines->failed)
        return error_set(error, lines->failed, "read pressure: %s", strerror(lines->failed));
    return some ? 0 : error_set(error, EPROTO, "no pressure averages");
}

int pressure_read(int procfs, enum pressure_resource resource, struct pressure_view *out, struct error *error)
{
    char path[32];
    snprintf(path, sizeof path, "pressure/%s", pressure_name(resource));
    struct lines lines AUTOLINES;
    struct error inner;
    error_clear(&inner);
    if (lines_open(&lines, procfs, path, &inner) == 0 && pressure_parse(&lines, out, &inner) == 0)
        return 0;
    if (inner.code == ENOENT || inner.code == EOPNOTSUPP)
        return error_set(error, inner.code, "this kernel measures no pressure (boot it with psi=1)");
    return error_set(error, inner.code, "%s", inner.text);
}
