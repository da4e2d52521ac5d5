#include "coordinator/decide/life.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The baseline is one annotation: "1;TERM;AT_MS;GROUP;ID:EXTRA,ID:EXTRA/LEAST;KEY,KEY". TERM and AT_MS tell
// whose it is.

// An annotation may not be larger than 256 KiB, all of an object's together.
#define BASELINE_KEYS_MAX 3000u

void machine_key(const struct machine_facts *machine, char *buffer, size_t bytes)
{
    if (machine->identifier[0] != '\0')
        snprintf(buffer, bytes, "%s", machine->identifier);
    else if (machine->id != 0)
        snprintf(buffer, bytes, "#%" PRId64, machine->id);
    else
        snprintf(buffer, bytes, "@%s", machine->hostname);
    for (char *at = buffer; *at != '\0'; at++)
        if (*at == ',' || *at == ';')
            *at = '_';
}

void baseline_free(struct baseline *baseline)
{
    if (baseline == NULL)
        return;
    for (uint32_t i = 0; i < baseline->key_count; i++)
        free(baseline->keys[i]);
    free(baseline->keys);
    free(baseline->counts);
    free(baseline->text);
    free(baseline);
}

// ---- reading

struct reader {
    const char *at, *end;
};

// The text up to `separator` or the end; false when nothing is left at all.
static bool field(struct reader *reader, char separator, const char **begin, size_t *length)
{
    if (reader->at == NULL)
        return false;
    const char *stop = memchr(reader->at, separator, (size_t)(reader->end - reader->at));
    *begin = reader->at;
    *length = (size_t)((stop != NULL ? stop : reader->end) - reader->at);
    reader->at = stop != NULL ? stop + 1 : NULL;
    return true;
}

static bool number_field(struct reader *reader, char separator, int64_t *out)
{
    const char *begin;
    size_t length;
    return field(reader, separator, &begin, &length) && text_parse_i64(begin, length, out, NULL) == 0;
}

static bool read_counts(struct baseline *baseline, const char *begin, size_t length)
{
    struct reader reader = {length > 0 ? begin : NULL, begin + length};
    const char *item;
    size_t item_length;
    while (field(&reader, ',', &item, &item_length)) {
        struct reader pair = {item, item + item_length};
        int64_t id, extra, least;
        if (!number_field(&pair, ':', &id) || !number_field(&pair, '/', &extra) || extra < INT32_MIN ||
            extra > INT32_MAX)
            return false;
        if (!number_field(&pair, '/', &least) || least > extra || least < INT32_MIN)
            least = extra;
        baseline->counts = xrealloc_array(baseline->counts, baseline->count + 1, sizeof(*baseline->counts));
        baseline->counts[baseline->count++] = (struct baseline_count){id, (int32_t)extra, (int32_t)least};
    }
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_keys(struct baseline *baseline, const char *begin, size_t length)
{
    struct reader reader = {length > 0 ? begin : NULL, begin + length};
    const char *item;
    size_t item_length;
    while (field(&reader, ',', &item, &item_length)) {
        baseline->keys = xrealloc_array(baseline->keys, baseline->key_count + 1, sizeof(*baseline->keys));
        baseline->keys[baseline->key_count++] = xstrndup(item, item_length);
    }
    if (baseline->key_count > 0)
        qsort(baseline->keys, baseline->key_count, sizeof(*baseline->keys), compare_texts);
}

struct baseline *baseline_parse(const char *text)
{
    struct reader reader = {text, text + strlen(text)};
    struct baseline *baseline = xcalloc(1, sizeof(*baseline));
    int64_t version, term;
    const char *counts, *keys;
    size_t counts_length, keys_length;
    if (number_field(&reader, ';', &version) && version == 1 && number_field(&reader, ';', &term) &&
        number_field(&reader, ';', &baseline->at_ms) && number_field(&reader, ';', &baseline->group_id) &&
        field(&reader, ';', &counts, &counts_length) && field(&reader, ';', &keys, &keys_length) &&
        read_counts(baseline, counts, counts_length)) {
        baseline->term = (uint64_t)term;
        read_keys(baseline, keys, keys_length);
        baseline->text = xstrdup(text);
        return baseline;
    }
    baseline_free(baseline);
    return NULL;
}

static bool has_key(const struct baseline *baseline, const char *key)
{
    return baseline->key_count > 0 &&
           bsearch(&key, baseline->keys, baseline->key_count, sizeof(*baseline->keys), compare_texts) != NULL;
}

bool baseline_lists(const struct baseline *baseline, const struct machine_facts *machine)
{
    struct machine_facts by_id = {.identifier = "", .hostname = machine->hostname, .id = machine->id};
    struct machine_facts by_name = {.identifier = "", .hostname = machine->hostname};
    char key[300];
    machine_key(machine, key, sizeof(key));
    if (has_key(baseline, key))
        return true;
    // A list may tell more of a machine later than it did then.
    machine_key(&by_id, key, sizeof(key));
    if (machine->id != 0 && has_key(baseline, key))
        return true;
    machine_key(&by_name, key, sizeof(key));
    return machine->hostname[0] != '\0' && has_key(baseline, key);
}

// "%NAME", in lower case, as Nodes are called.
static char *node_key(const char *name)
{
    struct text text = {0};
    text_printf(&text, "%%%s", name);
    char *key = text_take(&text);
    for (char *at = key; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return key;
}

bool baseline_has(const struct baseline *baseline, const struct machine_facts *machine)
{
    AUTOFREE char *key = node_key(machine->hostname);
    return baseline_lists(baseline, machine) || (machine->hostname[0] != '\0' && has_key(baseline, key));
}

struct baseline_count baseline_of(const struct baseline *baseline, int64_t group_id)
{
    for (uint32_t i = 0; i < baseline->count; i++)
        if (baseline->counts[i].group_id == group_id)
            return baseline->counts[i];
    return (struct baseline_count){group_id, 0, 0}; // the group is younger than the baseline
}

// ---- taking

static const struct baseline *oldest_open(const struct life_private *p, const struct cloud_watch *watch,
                                          int64_t group_id)
{
    const struct life_shared *shared = p->core->life;
    for (uint32_t i = 0; i < shared->open_count; i++) {
        const struct life_private *other = shared->open[i];
        if (other != p && life_is_order(other) && other->baseline != NULL &&
            other->baseline->group_id == group_id &&
            strcmp(other->intention->facts.resource_identifier, watch->cluster) == 0)
            return other->baseline;
    }
    return NULL;
}

static void copy_seen(struct baseline *baseline, const struct baseline *seen)
{
    baseline->counts = xcalloc(seen->count + 1, sizeof(*baseline->counts));
    if (seen->count > 0)
        memcpy(baseline->counts, seen->counts, seen->count * sizeof(*seen->counts));
    baseline->count = seen->count;
    baseline->keys = xcalloc(seen->key_count + 1, sizeof(*baseline->keys));
    for (uint32_t i = 0; i < seen->key_count; i++)
        baseline->keys[i] = xstrdup(seen->keys[i]);
    baseline->key_count = seen->key_count;
}

static void add_key(struct baseline *baseline, const struct machine_facts *machine)
{
    char key[300];
    machine_key(machine, key, sizeof(key));
    baseline->keys = xrealloc_array(baseline->keys, baseline->key_count + 1, sizeof(*baseline->keys));
    baseline->keys[baseline->key_count++] = xstrdup(key);
}

// Nodes that run although the list shows no machine of theirs: a list may leave one out and show it later.
static void take_nodes(struct core *core, struct baseline *baseline, const struct cloud_cluster *cloud)
{
    struct node **listed = ARENA_ARRAY(core->out->arena, struct node *, cloud->machine_count + 1);
    for (uint32_t i = 0; i < cloud->machine_count; i++)
        listed[i] = machine_node(core, &cloud->machines[i]);
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct node *node = core->cluster->nodes[i];
        bool shown = node->intention != NULL || node_is_master(node);
        for (uint32_t j = 0; j < cloud->machine_count && !shown; j++)
            shown = listed[j] == node;
        if (!shown) {
            baseline->keys = xrealloc_array(baseline->keys, baseline->key_count + 1, sizeof(*baseline->keys));
            baseline->keys[baseline->key_count++] = node_key(node->name);
        }
    }
}

static void take_new(struct core *core, struct baseline *baseline, const struct cloud_watch *watch)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    baseline->counts = xcalloc(cloud->group_count + 1, sizeof(*baseline->counts));
    for (uint32_t i = 0; i < cloud->group_count; i++) {
        const struct vpsie_group_facts *group = &cloud->groups[i];
        struct group_sum sum = owners_sum(core, watch, group->id);
        int32_t extra = group->nodes_count - sum.owned;
        int32_t least = extra - sum.unsure - sum.departed;
        if (core->now_ms < core->life->taken_ms + COUNT_LAG_MS)
            least = 0; // who left before us is not known
        baseline->counts[baseline->count++] =
            (struct baseline_count){group->id, extra > 0 ? extra : 0, least > 0 ? least : 0};
    }
    for (uint32_t i = 0; i < cloud->machine_count; i++)
        if (watch->owners[i] == NULL && cloud->machines[i].role != MACHINE_ROLE_MASTER)
            add_key(baseline, &cloud->machines[i]);
    take_nodes(core, baseline, cloud);
    if (baseline->key_count > 0)
        qsort(baseline->keys, baseline->key_count, sizeof(*baseline->keys), compare_texts);
}

static void write_text(struct baseline *baseline)
{
    struct text text = {0};
    text_printf(&text, "1;%" PRIu64 ";%" PRId64 ";%" PRId64 ";", baseline->term, baseline->at_ms,
                baseline->group_id);
    for (uint32_t i = 0; i < baseline->count; i++) {
        const struct baseline_count *count = &baseline->counts[i];
        text_printf(&text, "%s%" PRId64 ":%" PRId32, i > 0 ? "," : "", count->group_id, count->extra);
        if (count->least != count->extra)
            text_printf(&text, "/%" PRId32, count->least);
    }
    text_append(&text, ";");
    for (uint32_t i = 0; i < baseline->key_count; i++)
        text_printf(&text, "%s%s", i > 0 ? "," : "", baseline->keys[i]);
    baseline->text = text_take(&text);
}

struct baseline *baseline_take(struct life_private *p, struct cloud_watch *watch, int64_t group_id,
                               const char **why)
{
    const struct baseline *seen = oldest_open(p, watch, group_id);
    struct baseline *baseline = xcalloc(1, sizeof(*baseline));
    baseline->term = p->core->term;
    baseline->at_ms = p->core->now_ms;
    baseline->group_id = group_id;
    if (seen != NULL)
        copy_seen(baseline, seen);
    else
        take_new(p->core, baseline, watch);
    if (baseline->key_count > BASELINE_KEYS_MAX) {
        baseline_free(baseline);
        *why = "too many machines in VPSie's list that no VPSieNode owns";
        return NULL;
    }
    write_text(baseline);
    return baseline;
}
