#include "common/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

// Drops the bytes of a character that was cut in the middle, so that the text stays UTF-8.
static void cut_at_character(char *text)
{
    size_t length = strlen(text);
    size_t tail = 0;
    while (tail < 3 && tail < length && ((unsigned char)text[length - 1 - tail] & 0xc0u) == 0x80u)
        tail++;
    if (tail == length)
        return;
    unsigned char lead = (unsigned char)text[length - 1 - tail];
    size_t wanted = lead >= 0xf0u ? 3 : lead >= 0xe0u ? 2 : lead >= 0xc0u ? 1 : 0;
    if (tail < wanted)
        text[length - 1 - tail] = '\0';
}

static void format_cut(char *buffer, size_t bytes, const char *format, va_list arguments)
{
    int length = vsnprintf(buffer, bytes, format, arguments);
    if (length < 0)
        buffer[0] = '\0';
    else if ((size_t)length >= bytes)
        cut_at_character(buffer);
}

int error_set(struct error *error, int code, const char *format, ...)
{
    assert(format != NULL);
    if (error == NULL)
        return -1;
    // The arguments may point into the error that is being replaced.
    char text[ERROR_TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    format_cut(text, sizeof(text), format, arguments);
    va_end(arguments);
    error->code = code;
    memcpy(error->text, text, sizeof(text));
    return -1;
}

int error_wrap(struct error *error, const char *format, ...)
{
    assert(format != NULL);
    if (error == NULL)
        return -1;
    char text[ERROR_TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    format_cut(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (error->text[0] != '\0') {
        size_t length = strlen(text);
        size_t room = sizeof(text) - length;
        int added = snprintf(text + length, room, ": %s", error->text);
        if (added >= 0 && (size_t)added >= room)
            cut_at_character(text);
    }
    memcpy(error->text, text, sizeof(text));
    return -1;
}

void error_clear(struct error *error)
{
    if (error == NULL)
        return;
    error->code = 0;
    error->text[0] = '\0';
}
