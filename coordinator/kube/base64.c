#include "coordinator/kube/base64.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

int base64_decode(const char *text, size_t length, struct text *out, struct error *error)
{
    if (length > INT_MAX / 2)
        return error_set(error, 0, "base64 of %zu bytes is too long", length);
    char *packed = xcalloc(length + 1, 1);
    size_t count = 0;
    size_t padding = 0;
    bool good = true;
    for (size_t i = 0; i < length && good; i++) {
        if (strchr(" \t\r\n", text[i]) && text[i] != '\0')
            continue;
        if (text[i] == '=')
            padding++;
        else if (!is_base64(text[i]) || padding > 0)
            good = false;
        packed[count++] = text[i];
    }
    good = good && count % 4 == 0 && padding <= 2;
    if (good && count > 0) {
        unsigned char *bytes = xcalloc(count / 4, 3);
        int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)packed, (int)count);
        good = decoded >= 0 && (size_t)decoded >= padding;
        if (good)
            text_append_bytes(out, bytes, (size_t)decoded - padding);
        explicit_bzero(bytes, count / 4 * 3);
        free(bytes);
    }
    explicit_bzero(packed, length);
    free(packed);
    return good ? 0 : error_set(error, 0, "not base64");
}
