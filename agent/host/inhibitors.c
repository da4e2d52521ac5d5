#include "agent/host/inhibitors.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"

struct span {
    const char *from;
    size_t length;
};

static struct span trim(struct span span)
{
    while (span.length > 0 && strchr(" \t\r", span.from[0]) && span.from[0]) {
        span.from++;
        span.length--;
    }
    while (span.length > 0 && strchr(" \t\r", span.from[span.length - 1]) && span.from[span.length - 1])
        span.length--;
    return span;
}

static bool key_of(struct span *line, const char *key)
{
    size_t length = strlen(key);
    if (line->length < length || memcmp(line->from, key, length) != 0)
        return false;
    *line = trim((struct span){line->from + length, line->length - length});
    return true;
}

// A fault is said once, in front of the reason that was given.
static void say_fault(char *fault, size_t bytes, const char *what, struct span text)
{
    char shown[48];
    source_clean_text(shown, sizeof shown, text.from, text.length);
    if (!*fault)
        snprintf(fault, bytes, "malformed (%s: %s)", what, shown);
}

static bool parse_expiry(struct span value, int64_t changed_ms, int64_t *expires_ms)
{
    int64_t duration_ms;
    if (text_parse_time_ms(value.from, value.length, expires_ms, NULL) == 0)
        return *expires_ms > 0;
    if (text_parse_duration_ms(value.from, value.length, &duration_ms, NULL) < 0 || duration_ms <= 0)
        return false;
    return !__builtin_add_overflow(changed_ms, duration_ms, expires_ms) && *expires_ms > 0;
}

void inhibitors_parse(const char *content, size_t length, int64_t changed_ms, struct inhibitor *out)
{
    char fault[VIEW_WHY_BYTES_MAX] = "", reason[VIEW_WHY_BYTES_MAX] = "";
    out->expires_ms = 0;
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(content + at, '\n', length - at);
        size_t line_bytes = newline ? (size_t)(newline - content) - at : length - at;
        struct span line = trim((struct span){content + at, line_bytes});
        at += line_bytes + 1;
        if (line.length == 0 || line.from[0] == '#')
            continue;
        if (key_of(&line, "reason:"))
            source_clean_text(reason, sizeof reason, line.from, line.length);
        else if (!key_of(&line, "expires:"))
            say_fault(fault, sizeof fault, "a line that is neither reason: nor expires:", line);
        else if (!parse_expiry(line, changed_ms, &out->expires_ms))
            say_fault(fault, sizeof fault, "expires: is neither a time nor a duration", line);
    }
    if (*fault)
        out->expires_ms = 0;
    char text[2 * VIEW_WHY_BYTES_MAX + 4];
    snprintf(text, sizeof text, "%s%s%s", fault, *fault && *reason ? ": " : "", reason);
    source_clean_text(out->reason, sizeof out->reason, *text ? text : "no reason given",
                      strlen(*text ? text : "no reason given"));
}

static void unreadable(struct inhibitor *out, const char *why)
{
    out->expires_ms = 0;
    snprintf(out->reason, sizeof out->reason, "unreadable (%s)", why);
}

// O_NONBLOCK: a fifo must not stop the agent; what is not a regular file inhibits too.
static bool read_file(int directory, const char *name, struct inhibitor *out)
{
    AUTOCLOSE int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return false;
    if (fd < 0) {
        unreadable(out, errno == ELOOP ? "a link" : strerror(errno));
        return true;
    }
    struct stat stat;
    char content[INHIBITORS_FILE_BYTES_MAX + 1];
    if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
        unreadable(out, "not a regular file");
        return true;
    }
    ssize_t got = pread(fd, content, sizeof content, 0);
    if (got < 0)
        unreadable(out, strerror(errno));
    else if (got > INHIBITORS_FILE_BYTES_MAX)
        unreadable(out, "longer than 4096 bytes");
    else
        inhibitors_parse(content, (size_t)got, stat.st_mtim.tv_sec * 1000 + stat.st_mtim.tv_nsec / 1000000,
                         out);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct inhibitor *)a)->name, ((const struct inhibitor *)b)->name);
}

int inhibitors_read(int rootfs, int64_t now_ms, struct inhibitor *out, size_t *count, struct error *error)
{
    *count = 0;
    struct error inner;
    error_clear(&inner);
    AUTOCLOSE int fd = source_open_inside(rootfs, INHIBITORS_DIRECTORY, &inner);
    if (fd < 0)
        return inner.code == ENOENT ? 0 : error_set(error, inner.code, "%s", inner.text);
    struct directory directory;
    directory_begin(&directory, fd);
    unsigned char type;
    size_t met = 0;
    for (const char *name; (name = directory_next(&directory, &type));) {
        struct inhibitor one = {0};
        if (*name == '.' || !read_file(fd, name, &one) || (one.expires_ms && one.expires_ms <= now_ms))
            continue;
        source_clean_name(one.name, sizeof one.name, name);
        if (met++ < VIEW_INHIBITORS_MAX)
            out[(*count)++] = one;
    }
    if (directory.failed)
        return error_set(error, directory.failed, "list inhibitors: %s", strerror(directory.failed));
    qsort(out, *count, sizeof *out, by_name);
    if (met > VIEW_INHIBITORS_MAX) {
        struct inhibitor *last = &out[VIEW_INHIBITORS_MAX - 1];
        *last = (struct inhibitor){.name = "..."};
        snprintf(last->reason, sizeof last->reason, "and %zu more", met - VIEW_INHIBITORS_MAX + 1);
    }
    return 0;
}
