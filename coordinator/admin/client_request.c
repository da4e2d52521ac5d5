#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/admin/client.h"
#include "coordinator/admin/json.h"

struct words {
    const char *const *items;
    int count;
};

static int at_most(const struct words *words, int count, const char *usage, struct error *error)
{
    if (words->count <= count)
        return 0;
    return error_set(error, 0, "unexpected word \"%s\"; usage: vpsie-coordinator %s",
                     text_show(words->items[count], strlen(words->items[count])).text, usage);
}

// "explain node w-4", "explain node/w-4", "explain pod shop cart-1", "explain pod shop/cart-1"
static int explain(struct json *json, const struct words *words, struct error *error)
{
    static const char *const KINDS[] = {"node", "pod", "group"};
    const char *usage = "explain node NAME | pod NAMESPACE/NAME | group NAME";
    if (words->count < 1)
        return error_set(error, 0, "explain what? usage: vpsie-coordinator %s", usage);
    const char *first = words->items[0];
    size_t kind_length = strcspn(first, "/");
    bool joined = first[kind_length] == '/';
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (strlen(KINDS[i]) != kind_length || strncmp(KINDS[i], first, kind_length) != 0)
            continue;
        int rest = joined ? 1 : 2;
        if (words->count < rest)
            return error_set(error, 0, "which %s? usage: vpsie-coordinator %s", KINDS[i], usage);
        const char *name = joined ? first + kind_length + 1 : words->items[1];
        bool two_parts = i == 1 && words->count == rest + 1 && strchr(name, '/') == NULL;
        if (at_most(words, two_parts ? rest + 1 : rest, usage, error) < 0)
            return -1;
        char AUTOFREE *whole = two_parts ? xprintf("%s/%s", name, words->items[rest]) : xstrdup(name);
        json_put_string(json, KINDS[i], whole);
        return 0;
    }
    return error_set(error, 0,
                     "explain takes a node, a pod or a group, not \"%s\"; usage: vpsie-coordinator %s",
                     text_show(first, strlen(first)).text, usage);
}

static char *joined_words(const struct words *words)
{
    struct text text = {0};
    for (int i = 0; i < words->count; i++)
        text_printf(&text, "%s%s", i > 0 ? " " : "", words->items[i]);
    return text_take(&text);
}

static int fill(struct json *json, enum admin_command command, const struct words *words, struct error *error)
{
    char usage[80];
    snprintf(usage, sizeof(usage), "%s [flags]", admin_command_name(command));
    switch (command) {
    case ADMIN_EXPLAIN: return explain(json, words, error);
    case ADMIN_NODES:
        if (words->count > 0)
            json_put_string(json, "group", words->items[0]);
        return at_most(words, 1, "nodes [GROUP]", error);
    case ADMIN_RELEASE: // whoever names a group believes that the others are left alone
        if (words->count > 0)
            return error_set(error, 0,
                             "release takes no group: it lifts everything of ours, in every group; "
                             "unexpected word \"%s\"",
                             text_show(words->items[0], strlen(words->items[0])).text);
        return 0;
    case ADMIN_LOG_LEVEL:
        if (words->count > 0)
            json_put_string(json, "level", words->items[0]);
        return at_most(words, 1, "log-level [debug|info|warn|error]", error);
    case ADMIN_APPROVE:
        if (words->count < 1)
            return error_set(error, 0, "approve what? usage: vpsie-coordinator approve DECISION");
        json_put_string(json, "decision", words->items[0]);
        return at_most(words, 1, "approve DECISION", error);
    case ADMIN_PAUSE: {
        char AUTOFREE *reason = joined_words(words);
        json_put_string(json, "reason", reason);
        return 0;
    }
    default: return at_most(words, 0, usage, error);
    }
}

char *client_request(const char *command, const char *const *words, int word_count, int64_t limit,
                     enum admin_command *which, struct error *error)
{
    struct words given = {.items = words, .count = word_count};
    for (int i = 0; i < ADMIN_COMMAND_COUNT; i++) {
        if (strcmp(admin_command_name((enum admin_command)i), command) != 0)
            continue;
        *which = (enum admin_command)i;
        struct text text = {0};
        struct json json = json_put_begin(&text);
        json_put_string(&json, "command", command);
        if (limit > 0)
            json_put_integer(&json, "limit", limit);
        if (fill(&json, *which, &given, error) < 0) {
            text_free(&text);
            return NULL;
        }
        json_put_finish(&json);
        return text_take(&text);
    }
    error_set(error, 0, "\"%s\" is no command; `vpsie-coordinator help` lists them", command);
    return NULL;
}
