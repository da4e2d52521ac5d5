#include "agent/host/source.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/text.h"

static int fail(struct error *error, const char *what, const char *path)
{
    int code = errno;
    error_set(error, code, "%s %s: %s", what, path, strerror(code));
    errno = code;
    return -1;
}

int source_open_directory(int dir, const char *path, struct error *error)
{
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? fail(error, "open", path) : fd;
}

int source_open_inside(int root, const char *path, struct error *error)
{
    assert(root >= 0 && path);
    while (*path == '/')
        path++;
    if (!*path)
        path = ".";
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? fail(error, "open", path) : (int)fd;
}

void source_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

// O_NONBLOCK: a fifo put where a file belongs must not stop the agent.
static int open_file(int dir, const char *path, struct error *error)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? fail(error, "open", path) : fd;
}

int source_read(int dir, const char *path, char *buffer, size_t bytes, struct error *error)
{
    assert(buffer && bytes > 1);
    AUTOCLOSE int fd = open_file(dir, path, error);
    if (fd < 0)
        return -1;
    size_t length = 0;
    while (length < bytes) {
        ssize_t got = read(fd, buffer + length, bytes - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(error, "read", path);
        if (got == 0)
            break;
        length += (size_t)got;
    }
    if (length == bytes)
        return error_set(error, EFBIG, "read %s: longer than %zu bytes", path, bytes - 1);
    buffer[length] = '\0';
    return (int)length;
}

int source_read_u64(int dir, const char *path, uint64_t *out, struct error *error)
{
    char buffer[32];
    int length = source_read(dir, path, buffer, sizeof buffer, error);
    if (length < 0)
        return -1;
    const char *cursor = buffer;
    if (scan_u64(&cursor, out) && (*cursor == '\n' || !*cursor) && (!*cursor || !cursor[1]))
        return 0;
    return error_set(error, EPROTO, "%s does not hold a number", path);
}

int lines_open(struct lines *lines, int dir, const char *path, struct error *error)
{
    lines_from_memory(lines, "", 0);
    lines->fd = open_file(dir, path, error);
    lines->finished = lines->fd < 0;
    return lines->fd < 0 ? -1 : 0;
}

void lines_from_memory(struct lines *lines, const char *bytes, size_t length)
{
    lines->fd = -1;
    lines->memory = bytes;
    lines->memory_bytes = length;
    lines->begin = lines->end = 0;
    lines->finished = lines->cut = lines->skipping = false;
    lines->failed = 0;
}

// One byte of the buffer stays free for the terminator.
static void fill(struct lines *lines)
{
    if (lines->begin > 0) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    size_t room = sizeof lines->buffer - 1 - lines->end;
    ssize_t got;
    if (lines->fd < 0) {
        got = (ssize_t)(room < lines->memory_bytes ? room : lines->memory_bytes);
        if (got > 0)
            memcpy(lines->buffer + lines->end, lines->memory, (size_t)got);
        lines->memory += got;
        lines->memory_bytes -= (size_t)got;
    } else {
        do
            got = read(lines->fd, lines->buffer + lines->end, room);
        while (got < 0 && errno == EINTR);
    }
    if (got < 0)
        lines->failed = errno;
    if (got <= 0)
        lines->finished = true;
    else
        lines->end += (size_t)got;
}

// Terminate the line that ends before `stop`; a zero byte inside it ends it early, which no reader minds.
static char *take(struct lines *lines, size_t stop, size_t next)
{
    char *line = lines->buffer + lines->begin;
    lines->buffer[stop] = '\0';
    lines->begin = next;
    return line;
}

char *lines_next(struct lines *lines)
{
    size_t seen = 0;
    lines->cut = false;
    for (;;) {
        char *from = lines->buffer + lines->begin + seen;
        char *newline = memchr(from, '\n', lines->end - lines->begin - seen);
        if (newline) {
            size_t stop = (size_t)(newline - lines->buffer);
            if (!lines->skipping)
                return take(lines, stop, stop + 1);
            lines->skipping = false;
            lines->begin = stop + 1;
            seen = 0;
            continue;
        }
        seen = lines->end - lines->begin;
        if (lines->skipping) {
            lines->begin = lines->end;
            seen = 0;
        } else if (seen == sizeof lines->buffer - 1) {
            lines->skipping = lines->cut = true;
            return take(lines, lines->end, lines->end);
        }
        if (lines->finished) {
            if (seen == 0 || lines->failed)
                return NULL;
            return take(lines, lines->end, lines->end);
        }
        fill(lines);
    }
}

void lines_close(struct lines *lines)
{
    source_close(&lines->fd);
    lines->fd = -1;
    lines->finished = true;
    lines->begin = lines->end = 0;
}

void directory_begin(struct directory *directory, int fd)
{
    directory->fd = fd;
    directory->at = directory->end = 0;
    directory->failed = 0;
}

const char *directory_next(struct directory *directory, unsigned char *type)
{
    for (;;) {
        if (directory->at >= directory->end) {
            ssize_t got = getdents64(directory->fd, directory->buffer, sizeof directory->buffer);
            if (got < 0)
                directory->failed = errno;
            if (got <= 0)
                return NULL;
            directory->at = 0;
            directory->end = (size_t)got;
        }
        const struct dirent64 *entry = (const void *)(directory->buffer + directory->at);
        directory->at += entry->d_reclen;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        *type = entry->d_type;
        return entry->d_name;
    }
}

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

bool scan_u64(const char **cursor, uint64_t *out)
{
    const char *text = skip_blanks(*cursor);
    if (*text < '0' || *text > '9')
        return false;
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    *out = value;
    *cursor = text;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool scan_hex(const char **cursor, uint64_t *out, int digits_max)
{
    assert(digits_max > 0 && digits_max <= 16);
    const char *text = skip_blanks(*cursor);
    uint64_t value = 0;
    int digits = 0;
    for (; digits < digits_max && hex_digit(*text) >= 0; digits++, text++)
        value = value << 4 | (uint64_t)hex_digit(*text);
    if (digits == 0)
        return false;
    *out = value;
    *cursor = text;
    return true;
}

bool scan_decimal(const char **cursor, double *out)
{
    const char *text = *cursor;
    uint64_t whole;
    if (!scan_u64(&text, &whole))
        return false;
    double value = (double)whole;
    if (*text == '.') {
        double unit = 0.1;
        for (text++; *text >= '0' && *text <= '9'; text++) {
            value += unit * (*text - '0');
            unit /= 10;
        }
    }
    *out = value;
    *cursor = text;
    return true;
}

bool scan_word(const char **cursor, const char *word)
{
    const char *text = skip_blanks(*cursor);
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0)
        return false;
    char after = text[length];
    if (after != '\0' && after != ' ' && after != '\t' && after != ':')
        return false;
    *cursor = text + length + (after == ':' ? 1 : 0);
    return true;
}

size_t scan_field(const char **cursor, const char **field)
{
    const char *text = skip_blanks(*cursor);
    size_t length = strcspn(text, " \t");
    *field = text;
    *cursor = text + length;
    return length;
}

void source_clean_text(char *buffer, size_t bytes, const char *text, size_t length)
{
    assert(bytes > 0);
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        size_t step = text_utf8_length(text + at, length - at);
        unsigned char first = (unsigned char)text[at];
        // Beside the ASCII controls, U+0080 to U+009F (C2 80 to C2 9F) drive terminals too.
        bool control = first < 0x20 || first == 0x7f ||
                       (step == 2 && first == 0xc2 && (unsigned char)text[at + 1] < 0xa0);
        bool shown = step > 0 && !control;
        size_t take_bytes = shown ? step : 1;
        if (used + take_bytes >= bytes)
            break;
        if (shown)
            memcpy(buffer + used, text + at, step);
        else
            buffer[used] = '?';
        used += take_bytes;
        at += step > 0 ? step : 1;
    }
    buffer[used] = '\0';
}

void source_clean_name(char *buffer, size_t bytes, const char *text)
{
    assert(bytes > 0);
    size_t used = 0;
    for (; *text && used + 1 < bytes; text++)
        buffer[used++] = *text > ' ' && *text < 0x7f ? *text : '?';
    buffer[used] = '\0';
}
