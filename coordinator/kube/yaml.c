#include "coordinator/kube/yaml.h"

#include <assert.h>
#include <string.h>
#include <yaml.h>

struct reader {
    struct arena *arena;
    struct yaml *stack[YAML_DEPTH_MAX];
    struct yaml *last[YAML_DEPTH_MAX]; // last child of each level
    unsigned members[YAML_DEPTH_MAX];
    const char *key[YAML_DEPTH_MAX]; // waiting for its value
    unsigned depth;
    unsigned nodes;
    struct yaml *root;
    struct error *error;
};

static int too_much(struct reader *reader, size_t line, const char *what)
{
    return error_set(reader->error, 0, "line %zu: %s", line, what);
}

// Hangs a new node under the present container.
static int attach(struct reader *reader, struct yaml *node)
{
    if (++reader->nodes > YAML_NODES_MAX)
        return too_much(reader, node->line, "more nodes than a configuration can need");
    if (reader->depth == 0) {
        reader->root = node;
        return 0;
    }
    unsigned level = reader->depth - 1;
    struct yaml *parent = reader->stack[level];
    if (parent->kind == YAML_MAPPING) {
        if (!reader->key[level]) {
            if (node->kind != YAML_SCALAR || !node->text)
                return too_much(reader, node->line, "a key that is not a text");
            for (const struct yaml *other = parent->first; other; other = other->next) {
                if (strcmp(other->key, node->text) == 0)
                    return error_set(reader->error, 0, "line %zu: %.100s is given twice", node->line,
                                     node->text);
            }
            reader->key[level] = node->text;
            return 0;
        }
        node->key = reader->key[level];
        reader->key[level] = NULL;
        if (++reader->members[level] > YAML_MEMBERS_MAX)
            return too_much(reader, node->line, "more members than a configuration can need");
    }
    if (reader->last[level])
        reader->last[level]->next = node;
    else
        parent->first = node;
    reader->last[level] = node;
    return 0;
}

static int open_container(struct reader *reader, struct yaml *node)
{
    if (reader->depth == YAML_DEPTH_MAX)
        return too_much(reader, node->line, "nested too deep");
    // As a key a container is refused by attach().
    if (attach(reader, node) < 0)
        return -1;
    unsigned level = reader->depth++;
    reader->stack[level] = node;
    reader->last[level] = NULL;
    reader->key[level] = NULL;
    reader->members[level] = 0;
    return 0;
}

static const char *scalar_text(struct reader *reader, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (length == 0 || strcmp(value, "~") == 0 || strcmp(value, "null") == 0))
        return NULL;
    return arena_strndup(reader->arena, value, strnlen(value, length));
}

// 1: go on, 0: the document has ended, -1: error.
static int take_event(struct reader *reader, const yaml_event_t *event)
{
    struct yaml *node;
    size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT: break;
    case YAML_ALIAS_EVENT: return too_much(reader, line, "aliases are not supported");
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        assert(reader->depth > 0);
        reader->depth--;
        return 1;
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_END_EVENT: return 0;
    default: return 1;
    }
    node = ARENA_NEW(reader->arena, struct yaml);
    node->line = line;
    if (event->type == YAML_SCALAR_EVENT) {
        node->kind = YAML_SCALAR;
        node->text = scalar_text(reader, event);
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        return attach(reader, node) < 0 ? -1 : 1;
    }
    node->kind = event->type == YAML_MAPPING_START_EVENT ? YAML_MAPPING : YAML_SEQUENCE;
    return open_container(reader, node) < 0 ? -1 : 1;
}

struct yaml *yaml_read(const char *text, size_t length, struct arena *arena, struct error *error)
{
    struct reader reader = {.arena = arena, .error = error};
    yaml_parser_t parser;
    if (length > YAML_BYTES_MAX) {
        error_set(error, 0, "%zu bytes are more than a configuration can need", length);
        return NULL;
    }
    if (!yaml_parser_initialize(&parser)) {
        error_set(error, 0, "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    int more = 1;
    while (more > 0) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            error_set(error, 0, "line %zu: %s", parser.problem_mark.line + 1,
                      parser.problem ? parser.problem : "not YAML");
            more = -1;
            break;
        }
        more = take_event(&reader, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (more == 0 && !reader.root)
        error_set(error, 0, "empty");
    return more == 0 ? reader.root : NULL;
}

const struct yaml *yaml_get(const struct yaml *node, const char *key)
{
    if (!node || node->kind != YAML_MAPPING)
        return NULL;
    for (const struct yaml *member = node->first; member; member = member->next) {
        if (strcmp(member->key, key) == 0)
            return member->kind == YAML_SCALAR && !member->text ? NULL : member;
    }
    return NULL;
}
