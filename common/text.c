#include "common/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"

#define TEXT_CAPACITY_MIN 64u

// Room for `more` bytes and the terminator.
static void reserve(struct text *text, size_t more)
{
    assert(text != NULL && (text->bytes != NULL || text->length == 0));
    size_t wanted;
    if (__builtin_add_overflow(text->length, more, &wanted) || __builtin_add_overflow(wanted, 1, &wanted))
        wanted = SIZE_MAX; // xrealloc_array() aborts with a message
    if (wanted <= text->capacity)
        return;
    size_t capacity = text->capacity < TEXT_CAPACITY_MIN ? TEXT_CAPACITY_MIN : text->capacity;
    while (capacity < wanted)
        capacity = capacity > SIZE_MAX / 2 ? wanted : capacity * 2;
    text->bytes = xrealloc_array(text->bytes, capacity, 1);
    text->capacity = capacity;
    text->bytes[text->length] = '\0';
}

void text_append_bytes(struct text *text, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    assert(bytes != NULL);
    reserve(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_append(struct text *text, const char *bytes)
{
    assert(bytes != NULL);
    text_append_bytes(text, bytes, strlen(bytes));
}

void text_vprintf(struct text *text, const char *format, va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    size_t room = text->capacity - text->length; // 0 while empty
    int length = vsnprintf(room == 0 ? NULL : text->bytes + text->length, room, format, copy);
    va_end(copy);
    assert(length >= 0);
    if ((size_t)length >= room) {
        reserve(text, (size_t)length);
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    }
    text->length += (size_t)length;
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(text, format, arguments);
    va_end(arguments);
}

const char *text_get(const struct text *text)
{
    return text->bytes == NULL ? "" : text->bytes;
}

void text_clear(struct text *text)
{
    text->length = 0;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

char *text_take(struct text *text)
{
    char *bytes = text->bytes == NULL ? xstrdup("") : text->bytes;
    *text = (struct text){0};
    return bytes;
}

size_t text_utf8_length(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (length == 0)
        return 0;
    if (bytes[0] < 0x80u)
        return 1;
    // RFC 3629, section 4: the second byte's range shuts out overlong forms, surrogates and beyond U+10FFFF.
    size_t wanted = bytes[0] >= 0xc2u && bytes[0] <= 0xdfu   ? 2
                    : bytes[0] >= 0xe0u && bytes[0] <= 0xefu ? 3
                    : bytes[0] >= 0xf0u && bytes[0] <= 0xf4u ? 4
                                                             : 0;
    if (wanted == 0 || length < wanted)
        return 0;
    unsigned low = bytes[0] == 0xe0u ? 0xa0u : bytes[0] == 0xf0u ? 0x90u : 0x80u;
    unsigned high = bytes[0] == 0xedu ? 0x9fu : bytes[0] == 0xf4u ? 0x8fu : 0xbfu;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < wanted; i++) {
        if ((bytes[i] & 0xc0u) != 0x80u)
            return 0;
    }
    return wanted;
}

static void append_json_control(struct text *text, unsigned char c)
{
    static const char short_forms[] = "b\bf\fn\nr\rt\t";
    for (size_t i = 0; i + 1 < sizeof(short_forms); i += 2) {
        if ((unsigned char)short_forms[i + 1] == c) {
            char escape[2] = {'\\', short_forms[i]};
            text_append_bytes(text, escape, sizeof(escape));
            return;
        }
    }
    text_printf(text, "\\u%04x", c);
}

void text_append_json_string(struct text *text, const char *string)
{
    assert(string != NULL);
    text_append_bytes(text, "\"", 1);
    size_t left = strlen(string);
    while (left > 0) {
        unsigned char c = (unsigned char)*string;
        size_t length = text_utf8_length(string, left);
        if (length == 0) {
            text_append(text, "\xef\xbf\xbd");
            length = 1;
        } else if (c < 0x20u || c == 0x7fu) {
            append_json_control(text, c);
        } else if (c == 0xc2u && (unsigned char)string[1] < 0xa0u) { // C1 controls, U+0080 to U+009F
            append_json_control(text, (unsigned char)string[1]);
        } else {
            if (c == '"' || c == '\\')
                text_append_bytes(text, "\\", 1);
            text_append_bytes(text, string, length);
        }
        string += length;
        left -= length;
    }
    text_append_bytes(text, "\"", 1);
}

struct text_shown text_show(const char *text, size_t length)
{
    struct text_shown shown;
    size_t used = 0;
    for (; used < length && used < TEXT_SHOWN_BYTES_MAX; used++)
        shown.text[used] = text[used] >= ' ' && text[used] <= '~' ? text[used] : '?';
    snprintf(shown.text + used, sizeof(shown.text) - used, "%s", length > TEXT_SHOWN_BYTES_MAX ? "..." : "");
    return shown;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool text_equal_fold(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != '\0' && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

bool text_starts_with(const char *text, const char *prefix)
{
    assert(text != NULL && prefix != NULL);
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_contains_fold(const char *haystack, const char *needle)
{
    assert(haystack != NULL && needle != NULL);
    size_t needle_length = strlen(needle);
    for (size_t left = strlen(haystack); left >= needle_length; left--, haystack++) {
        size_t same = 0;
        while (same < needle_length && fold(haystack[same]) == fold(needle[same]))
            same++;
        if (same == needle_length)
            return true;
        if (left == 0)
            return false;
    }
    return false;
}

static void close_descriptor(const int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

// Reads until the end, however little a read gives: proc files come a page at a time and have size 0.
static int read_all(int descriptor, const char *path, size_t bytes_max, struct text *out, struct error *error)
{
    size_t begin = out->length;
    for (;;) {
        char chunk[4096];
        ssize_t got = read(descriptor, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, errno, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            return 0;
        if ((size_t)got > bytes_max - (out->length - begin))
            return error_set(error, EFBIG, "%s is larger than %zu bytes", path, bytes_max);
        text_append_bytes(out, chunk, (size_t)got);
    }
}

int text_read_file(const char *path, size_t bytes_max, struct text *out, struct error *error)
{
    assert(path != NULL && out != NULL);
    // O_NONBLOCK: a FIFO in place of the file must not hold us.
    __attribute__((cleanup(close_descriptor))) int descriptor =
        open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, errno, "cannot open %s: %s", path, strerror(errno));
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return error_set(error, errno, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, S_ISDIR(status.st_mode) ? EISDIR : EINVAL, "%s is not a regular file", path);
    size_t begin = out->length;
    int result = read_all(descriptor, path, bytes_max, out, error);
    if (result < 0 && out->bytes != NULL) { // what was read before the error is no file
        out->length = begin;
        out->bytes[begin] = '\0';
    }
    return result;
}
