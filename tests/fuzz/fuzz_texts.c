// Whatever a flag, a file or a peer says: each parser of texts reads its bytes and no more, refuses with a
// reason, and what it lets through survives being written and read again. The first byte chooses the parser.
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/link.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void fuzz_numbers(const char *text, size_t length)
{
    struct error error = {0};
    uint64_t natural = 0;
    int64_t whole = 0;
    double real = 0;
    bool is_natural = text_parse_u64(text, length, &natural, &error) == 0;
    require(is_natural || error.text[0] != '\0');
    bool is_whole = text_parse_i64(text, length, &whole, NULL) == 0;
    require(!is_natural || natural > INT64_MAX || (is_whole && (uint64_t)whole == natural));
    bool is_real = text_parse_double(text, length, &real, NULL) == 0;
    require(!is_real || isfinite(real));
    require(!is_whole || is_real);
}

static void fuzz_duration(const char *text, size_t length)
{
    struct error error = {0};
    char shown[32];
    int64_t ms = 0;
    if (text_parse_duration_ms(text, length, &ms, &error) < 0) {
        require(error.text[0] != '\0');
        return;
    }
    require(ms >= 0);
    text_format_duration(shown, sizeof(shown), ms);
    require(strlen(shown) < sizeof(shown) && shown[0] != '\0');
}

static void fuzz_time(const char *text, size_t length)
{
    struct error error = {0};
    char shown[40];
    int64_t ms = 0, again_ms = 0;
    if (text_parse_time_ms(text, length, &ms, &error) < 0) {
        require(error.text[0] != '\0');
        return;
    }
    text_format_time_micro(shown, sizeof(shown), ms);
    require(text_parse_time_ms(shown, strlen(shown), &again_ms, NULL) == 0 && again_ms == ms);
}

static void fuzz_json(const char *string)
{
    struct text AUTOTEXT once = {0};
    struct text AUTOTEXT twice = {0};
    text_append_json_string(&once, string);
    cJSON *read = cJSON_ParseWithOpts(text_get(&once), NULL, true);
    require(cJSON_IsString(read));
    text_append_json_string(&twice, read->valuestring); // by now it is good UTF-8: nothing changes any more
    require(strcmp(text_get(&once), text_get(&twice)) == 0);
    cJSON_Delete(read);
}

static void fuzz_address(const char *address, bool insecure)
{
    struct error error = {0};
    char url[400], again[400];
    if (link_url(address, insecure, 7946, url, sizeof(url), &error) < 0) {
        require(error.text[0] != '\0');
        return;
    }
    require(strlen(url) < sizeof(url));
    require(insecure || !text_starts_with(url, "tcp://"));
    require(link_url(url, insecure, 7946, again, sizeof(again), NULL) == 0 && strcmp(url, again) == 0);
}

static void fuzz_shown(const char *text, size_t length)
{
    struct text_shown shown = text_show(text, length);
    size_t shown_length = strnlen(shown.text, sizeof(shown.text));
    require(shown_length < sizeof(shown.text));
    for (size_t i = 0; i < shown_length; i++)
        require(shown.text[i] >= ' ' && shown.text[i] <= '~');
    for (size_t left = length; left > 0;) {
        size_t character = text_utf8_length(text + (length - left), left);
        require(character <= 4 && character <= left);
        left -= character > 0 ? character : 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    unsigned char which = bytes[0] % 7;
    bytes++;
    length--;
    bool terminated = which >= 4; // the others take a length, and nothing stands behind it
    char *text = malloc(length + 1 - (terminated || length == 0 ? 0 : 1));
    require(text != NULL);
    memcpy(text, bytes, length);
    if (terminated)
        text[length] = '\0';
    switch (which) {
    case 0: fuzz_numbers(text, length); break;
    case 1: fuzz_duration(text, length); break;
    case 2: fuzz_time(text, length); break;
    case 3: fuzz_shown(text, length); break;
    case 4: fuzz_json(text); break;
    default: fuzz_address(text, which == 5); break;
    }
    free(text);
    return 0;
}
