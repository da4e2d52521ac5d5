// Objects are cut out of lists and watches whatever the pieces in which the bytes come.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/splitter.h"

struct seen {
    struct text items;
    struct text metadata;
    unsigned count;
    unsigned stop_after;
};

static bool take(void *context, enum splitter_piece piece, char *bytes, size_t length)
{
    struct seen *seen = context;
    struct text *out = piece == SPLITTER_METADATA ? &seen->metadata : &seen->items;
    text_append_bytes(out, bytes, length);
    text_append(out, "|");
    seen->count++;
    return seen->stop_after == 0 || seen->count < seen->stop_after;
}

static void forget(struct seen *seen)
{
    text_free(&seen->items);
    text_free(&seen->metadata);
}

static const char list[] = "{\"kind\":\"PodList\",\"x\":{\"items\":[{\"no\":1}]},\"metadata\":{"
                           "\"resourceVersion\":\"7\",\"continue\":\"c]}\"},"
                           "\"items\" : [ {\"metadata\":{\"name\":\"a\\\"}]\"},\"items\":[1,{}]} , "
                           "{\"b\":[[],{\"c\":\"\\\\\"}]},null,5],\"z\":[{}]}\n";
static const char list_items[] =
    "{\"metadata\":{\"name\":\"a\\\"}]\"},\"items\":[1,{}]}|{\"b\":[[],{\"c\":\"\\\\\"}]}|";

static void items_and_metadata_of_a_list_come_out_for_every_cut_in_two(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof(list) - 1; cut++) {
        struct seen seen = {0};
        struct splitter splitter;
        splitter_init(&splitter, SPLITTER_LIST, take, &seen);
        assert_true(splitter_feed(&splitter, list, cut));
        assert_true(splitter_feed(&splitter, list + cut, sizeof(list) - 1 - cut));
        assert_string_equal(text_get(&seen.items), list_items);
        assert_string_equal(text_get(&seen.metadata), "{\"resourceVersion\":\"7\",\"continue\":\"c]}\"}|");
        assert_true(splitter_complete(&splitter));
        splitter_free(&splitter, true);
        forget(&seen);
    }
}

static void a_list_byte_by_byte_gives_the_same(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct splitter splitter;
    splitter_init(&splitter, SPLITTER_LIST, take, &seen);
    for (size_t i = 0; i + 1 < sizeof(list); i++) {
        assert_int_equal(splitter_complete(&splitter), i + 2 > sizeof(list) - 1);
        assert_true(splitter_feed(&splitter, list + i, 1));
    }
    assert_string_equal(text_get(&seen.items), list_items);
    splitter_free(&splitter, false);
    forget(&seen);
}

static void a_list_that_is_cut_short_is_not_complete(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(list) - 2; length++) {
        struct seen seen = {0};
        struct splitter splitter;
        splitter_init(&splitter, SPLITTER_LIST, take, &seen);
        splitter_feed(&splitter, list, length);
        assert_false(splitter_complete(&splitter));
        splitter_free(&splitter, false);
        forget(&seen);
    }
}

static void an_empty_list_and_a_null_list_have_no_items(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"items\":[],\"metadata\":{}}", "{\"items\":null,\"metadata\":{}}"};
    for (size_t i = 0; i < 2; i++) {
        struct seen seen = {0};
        struct splitter splitter;
        splitter_init(&splitter, SPLITTER_LIST, take, &seen);
        splitter_feed(&splitter, texts[i], strlen(texts[i]));
        assert_true(splitter_complete(&splitter));
        assert_string_equal(text_get(&seen.items), "");
        assert_string_equal(text_get(&seen.metadata), "{}|");
        splitter_free(&splitter, false);
        forget(&seen);
    }
}

static void documents_of_a_stream_come_out_one_by_one(void **state)
{
    (void)state;
    static const char stream[] =
        "{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n{\"b\":\"}\"}{\"c\":{}} \n{\"half\"";
    for (size_t cut = 0; cut < sizeof(stream) - 1; cut++) {
        struct seen seen = {0};
        struct splitter splitter;
        splitter_init(&splitter, SPLITTER_STREAM, take, &seen);
        splitter_feed(&splitter, stream, cut);
        splitter_feed(&splitter, stream + cut, sizeof(stream) - 1 - cut);
        assert_string_equal(text_get(&seen.items),
                            "{\"type\":\"ADDED\",\"object\":{\"a\":1}}|{\"b\":\"}\"}|{\"c\":{}}|");
        assert_false(splitter_complete(&splitter));
        splitter_free(&splitter, false);
        forget(&seen);
    }
}

static void a_piece_that_is_too_large_or_too_deep_is_passed_over_and_counted(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct splitter splitter;
    AUTOTEXT struct text deep = {0};
    splitter_init(&splitter, SPLITTER_STREAM, take, &seen);
    splitter.piece_bytes_max = 200;
    for (int i = 0; i < 40; i++)
        splitter_feed(&splitter, i == 0 ? "{\"long\":\"" : "0123456789", i == 0 ? 9 : 10);
    splitter_feed(&splitter, "\"}{\"short\":1}", 13);
    assert_int_equal(splitter.skipped, 1);
    for (int i = 0; i < JSON_DEPTH_MAX + 1; i++)
        text_append(&deep, "{\"a\":");
    text_append(&deep, "1");
    for (int i = 0; i < JSON_DEPTH_MAX + 1; i++)
        text_append(&deep, "}");
    splitter.piece_bytes_max = SPLITTER_PIECE_BYTES_MAX;
    splitter_feed(&splitter, deep.bytes, deep.length);
    splitter_feed(&splitter, "{\"after\":2}", 11);
    assert_int_equal(splitter.skipped, 2);
    assert_string_equal(text_get(&seen.items), "{\"short\":1}|{\"after\":2}|");
    splitter_free(&splitter, false);
    forget(&seen);
}

static void the_sink_can_stop_the_stream(void **state)
{
    (void)state;
    struct seen seen = {.stop_after = 2};
    struct splitter splitter;
    splitter_init(&splitter, SPLITTER_STREAM, take, &seen);
    assert_false(splitter_feed(&splitter, "{}{}{}", 6));
    assert_int_equal(seen.count, 2);
    splitter_free(&splitter, false);
    forget(&seen);
}

static void stray_closing_brackets_do_no_harm(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct splitter splitter;
    splitter_init(&splitter, SPLITTER_LIST, take, &seen);
    splitter_feed(&splitter, "]}]}{\"items\":[{}]}", 18);
    assert_string_equal(text_get(&seen.items), "{}|");
    splitter_free(&splitter, false);
    forget(&seen);
}

static void json_that_is_nested_too_deep_or_goes_on_after_its_end_is_refused(void **state)
{
    (void)state;
    struct error error = {0};
    AUTOTEXT struct text deep = {0};
    for (int i = 0; i < 100000; i++)
        text_append(&deep, "[");
    assert_null(json_parse(deep.bytes, deep.length, &error));
    assert_non_null(strstr(error.text, "nested"));
    assert_null(json_parse("{}{}", 4, &error));
    assert_null(json_parse("", 0, &error));
    assert_null(json_parse("{\"a\":", 5, &error));
    AUTOJSON cJSON *good = json_parse(" {} \n", 5, &error);
    assert_non_null(good);
}

static void managed_fields_are_blanked_and_nothing_else(void **state)
{
    (void)state;
    char text[] = "{\"metadata\":{\"annotations\":{\"a\":\"\\\"managedFields\\\":[1]\"},\"managedFields\":[{"
                  "\"x\":\"]\\\"}\","
                  "\"y\":[[]]}],\"name\":\"n\"},\"spec\":[1]}";
    size_t length = strlen(text);
    json_blank_managed_fields(text, length);
    AUTOJSON cJSON *json = json_parse(text, length, NULL);
    assert_non_null(json);
    assert_int_equal(json_count(json_path(json, "metadata", "managedFields", NULL)), 0);
    assert_string_equal(json_text(json_path(json, "metadata", "annotations", NULL), "a"),
                        "\"managedFields\":[1]");
    assert_string_equal(json_text(json_get(json, "metadata"), "name"), "n");
    assert_int_equal(json_count(json_get(json, "spec")), 1);
    char unfinished[] = "{\"managedFields\":[{\"a\":1}";
    json_blank_managed_fields(unfinished, strlen(unfinished));
    assert_string_equal(unfinished, "{\"managedFields\":[{\"a\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_and_metadata_of_a_list_come_out_for_every_cut_in_two),
        cmocka_unit_test(a_list_byte_by_byte_gives_the_same),
        cmocka_unit_test(a_list_that_is_cut_short_is_not_complete),
        cmocka_unit_test(an_empty_list_and_a_null_list_have_no_items),
        cmocka_unit_test(documents_of_a_stream_come_out_one_by_one),
        cmocka_unit_test(a_piece_that_is_too_large_or_too_deep_is_passed_over_and_counted),
        cmocka_unit_test(the_sink_can_stop_the_stream),
        cmocka_unit_test(stray_closing_brackets_do_no_harm),
        cmocka_unit_test(managed_fields_are_blanked_and_nothing_else),
        cmocka_unit_test(json_that_is_nested_too_deep_or_goes_on_after_its_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
