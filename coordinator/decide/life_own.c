#include "coordinator/decide/life.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// Which machine of VPSie's list belongs to which VPSieNode, and since when the others have been seen.

#define VANISHED_ROUNDS 3
#define VANISHED_MS     (3 * LIFE_MINUTE_MS)

// ---- an index

struct machine_entry {
    uint64_t hash;
    uint32_t machine;
};

static uint64_t hash_key(char kind, const char *text)
{
    uint64_t hash = (14695981039346656037ull ^ (unsigned char)kind) * 1099511628211ull;
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= 'A' && byte <= 'Z')
            byte = (unsigned char)(byte - 'A' + 'a');
        hash = (hash ^ byte) * 1099511628211ull;
    }
    return hash;
}

static uint64_t hash_id(int64_t id)
{
    return ((uint64_t)id ^ 14695981039346656037ull) * 1099511628211ull;
}

static int compare_entries(const void *a, const void *b)
{
    const struct machine_entry *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->machine < y->machine ? -1 : x->machine > y->machine;
}

static void index_text(struct machine_index *index, char kind, const char *text, uint32_t machine)
{
    if (text[0] != '\0')
        index->entries[index->count++] = (struct machine_entry){hash_key(kind, text), machine};
}

struct machine_index machine_index_make(struct arena *arena, const struct machine_facts *machines,
                                        uint32_t count)
{
    struct machine_index index = {.machines = machines};
    index.entries = ARENA_ARRAY(arena, struct machine_entry, (size_t)count * 3 + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct machine_facts *machine = &machines[i];
        index_text(&index, 'i', machine->identifier, i);
        index_text(&index, 'h', machine->hostname, i);
        if (machine->id != 0)
            index.entries[index.count++] = (struct machine_entry){hash_id(machine->id), i};
    }
    qsort(index.entries, index.count, sizeof(*index.entries), compare_entries);
    return index;
}

static const struct machine_entry *first_entry(const struct machine_index *index, uint64_t hash)
{
    uint32_t low = 0, high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->entries[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < index->count && index->entries[low].hash == hash ? &index->entries[low] : NULL;
}

uint32_t machine_index_find(const struct machine_index *index, const struct machine_name *name)
{
    const uint64_t hashes[] = {hash_key('i', name->identifier), hash_id(name->id),
                               hash_key('h', name->hostname)};
    const bool given[] = {name->identifier[0] != '\0', name->id != 0, name->hostname[0] != '\0'};
    for (int i = 0; i < 3; i++) {
        if (!given[i])
            continue;
        const struct machine_entry *entry = first_entry(index, hashes[i]);
        for (; entry != NULL && entry < index->entries + index->count && entry->hash == hashes[i]; entry++)
            if (machine_is(name, &index->machines[entry->machine]))
                return entry->machine;
    }
    return UINT32_MAX;
}

// ---- owners

// The machine is somebody else's: an order goes back to waiting, anything else keeps its hands off.
static void second_claim(struct life_private *p, const struct life_private *first)
{
    if (!p->claimed_twice)
        core_note(p->core, NOTE_ERROR, p->life->decision_id, life_subject(p),
                  "claims the machine of %s: it is left to that one", first->intention->facts.name);
    p->claimed_twice = true;
    p->machine = NULL;
}

static void own(struct cloud_watch *watch, const struct cloud_cluster *cloud, struct life_private *p,
                uint32_t machine)
{
    if (watch->owners[machine] != NULL && watch->owners[machine] != p) {
        second_claim(p, watch->owners[machine]);
        return;
    }
    watch->owners[machine] = p;
    p->claimed_twice = false;
    p->machine = &cloud->machines[machine];
    struct machine_name name = machine_name_of(p->core, p->machine);
    if (name.identifier[0] == '\0')
        name.identifier = p->name.identifier;
    if (name.id == 0)
        name.id = p->name.id;
    p->name = name;
    if (!p->listed)
        p->listed_ms = p->core->now_ms;
    p->listed = true;
    p->vanished = false;
    if (p->missing_ms != 0) {
        p->waits_list = false;
        p->core->life->version++;
    }
    p->missing_ms = 0;
    p->missing_rounds = 0;
}

static void find_owned(struct core *core, struct cloud_watch *watch, const struct cloud_cluster *cloud)
{
    struct machine_index index = machine_index_make(core->out->arena, cloud->machines, cloud->machine_count);
    uint32_t count = core->cluster->intention_count;
    for (uint32_t i = 0; i < 2 * count; i++) { // of two that claim one machine, the one that has its Node
        struct life_private *p = life_private_of(core->cluster->intentions[i % count]);
        if (strcmp(p->intention->facts.resource_identifier, watch->cluster) != 0)
            continue;
        if (i < count)
            p->machine = NULL;
        if (!machine_known(&p->name) || (i < count) != (p->intention->node != NULL))
            continue;
        uint32_t machine = machine_index_find(&index, &p->name);
        if (machine != UINT32_MAX && cloud->machines[machine].role != MACHINE_ROLE_MASTER)
            own(watch, cloud, p, machine);
    }
}

// By what is stored on the VPSieNode, or by the Node that is its. Addresses are given out again: they tell
// only where there is no name.
bool owners_names(const struct life_private *p, const struct machine_facts *machine)
{
    const struct intention_facts *facts = &p->intention->facts;
    const struct node *node = p->intention->node;
    if (machine->hostname[0] == '\0')
        return node != NULL && machine_node(p->core, machine) == node;
    return text_equal_fold(facts->hostname, machine->hostname) ||
           text_equal_fold(facts->node_name, machine->hostname) ||
           (node != NULL && text_equal_fold(node->name, machine->hostname));
}

bool owners_named(const struct core *core, const struct machine_facts *machine)
{
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct life_private *p = life_private_of(core->cluster->intentions[i]);
        if (!life_is_gone(p) && owners_names(p, machine))
            return true;
    }
    return false;
}

static int compare_sightings(const void *a, const void *b)
{
    return strcmp(((const struct sighting *)a)->key, ((const struct sighting *)b)->key);
}

static void find_strangers(struct core *core, struct cloud_watch *watch, const struct cloud_cluster *cloud)
{
    struct sighting *old = watch->sightings;
    uint32_t old_count = watch->sighting_count;
    watch->sightings = xcalloc(cloud->machine_count + 1, sizeof(*watch->sightings));
    watch->sighting_count = 0;
    for (uint32_t i = 0; i < cloud->machine_count; i++) {
        if (watch->owners[i] != NULL || cloud->machines[i].role == MACHINE_ROLE_MASTER)
            continue;
        char key[300];
        machine_key(&cloud->machines[i], key, sizeof(key));
        struct sighting seen = {.key = key};
        const struct sighting *known =
            old_count > 0 ? bsearch(&seen, old, old_count, sizeof(*old), compare_sightings) : NULL;
        struct sighting *sighting = &watch->sightings[watch->sighting_count++];
        *sighting = known != NULL ? *known : (struct sighting){.first_ms = core->now_ms};
        sighting->key = xstrdup(key);
    }
    qsort(watch->sightings, watch->sighting_count, sizeof(*watch->sightings), compare_sightings);
    for (uint32_t i = 0; i < old_count; i++)
        free(old[i].key);
    free(old);
}

static void follow_counts(struct core *core, struct cloud_watch *watch, const struct cloud_cluster *cloud)
{
    struct counted *old = watch->counted;
    watch->counted = xcalloc(cloud->group_count + 1, sizeof(*watch->counted));
    for (uint32_t i = 0; i < cloud->group_count; i++) {
        struct counted now = {cloud->groups[i].id, cloud->groups[i].nodes_count, core->now_ms};
        for (uint32_t j = 0; j < watch->counted_count; j++)
            if (old[j].group_id == now.group_id && old[j].nodes == now.nodes)
                now.changed_ms = old[j].changed_ms;
        watch->counted[i] = now;
    }
    watch->counted_count = cloud->group_count;
    free(old);
}

void owners_find(struct core *core, struct cloud_watch *watch)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    free(watch->owners);
    watch->owners = xcalloc(cloud->machine_count + 1, sizeof(*watch->owners));
    watch->owner_count = cloud->machine_count;
    find_owned(core, watch, cloud);
    find_strangers(core, watch, cloud);
    follow_counts(core, watch, cloud);
}

void owners_give(struct core *core, struct cloud_watch *watch, struct life_private *p, uint32_t machine)
{
    own(watch, cluster_cloud(core->cluster, watch->cluster), p, machine);
}

void owners_drop(struct core *core, const struct life_private *p)
{
    for (uint32_t i = 0; i < core->life->cloud_count; i++) {
        struct cloud_watch *watch = &core->life->clouds[i];
        for (uint32_t j = 0; p->machine != NULL && j < watch->owner_count; j++)
            if (watch->owners[j] == p)
                watch->owners[j] = NULL;
    }
}

struct sighting *owners_sighting(const struct cloud_watch *watch, const struct machine_facts *machine)
{
    char key[300];
    machine_key(machine, key, sizeof(key));
    struct sighting seen = {.key = key};
    if (watch->sighting_count == 0)
        return NULL;
    return bsearch(&seen, watch->sightings, watch->sighting_count, sizeof(*watch->sightings),
                   compare_sightings);
}

int64_t owners_first_seen(const struct cloud_watch *watch, const struct machine_facts *machine)
{
    const struct sighting *known = owners_sighting(watch, machine);
    return known != NULL ? known->first_ms : INT64_MAX;
}

int64_t owners_count_changed(const struct cloud_watch *watch, int64_t group_id)
{
    for (uint32_t i = 0; i < watch->counted_count; i++)
        if (watch->counted[i].group_id == group_id)
            return watch->counted[i].changed_ms;
    return INT64_MAX;
}

// ---- sums

int64_t owners_group_of(struct core *core, const struct life_private *p)
{
    if (p->baseline != NULL)
        return p->baseline->group_id;
    if (p->intention->facts.vpsie_group_id != 0)
        return p->intention->facts.vpsie_group_id;
    const struct pool *pool = pool_of(core, p);
    return pool != NULL ? pool->vpsie_group_id : 0;
}

struct group_sum owners_sum(struct core *core, const struct cloud_watch *watch, int64_t group_id)
{
    struct group_sum sum = {0};
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct life_private *p = life_private_of(core->cluster->intentions[i]);
        if (strcmp(p->intention->facts.resource_identifier, watch->cluster) != 0 ||
            owners_group_of(core, p) != group_id)
            continue;
        if (life_is_order(p) && p->life->step != LIFE_BASELINE_WRITE)
            sum.open++;
        else if (p->machine != NULL)
            sum.owned++;
        else if (machine_known(&p->name) && !life_is_gone(p) && !p->vanished &&
                 (p->missing_ms == 0 || core->now_ms < p->missing_ms + COUNT_LAG_MS))
            sum.unsure++; // what the list has lacked for longer is not counted either
    }
    for (uint32_t i = 0; i < watch->departure_count; i++)
        sum.departed += watch->departures[i].group_id == group_id &&
                        core->now_ms < watch->departures[i].at_ms + COUNT_LAG_MS;
    return sum;
}

void owners_departed(struct core *core, struct cloud_watch *watch, const struct life_private *p)
{
    if (watch->departure_count == DEPARTURES_KEPT) {
        memmove(&watch->departures[0], &watch->departures[1],
                (DEPARTURES_KEPT - 1) * sizeof(watch->departures[0]));
        watch->departure_count--;
    }
    watch->departures[watch->departure_count++] = (struct departure){owners_group_of(core, p), core->now_ms};
}

// ---- vanishing

static void follow(struct life_private *p)
{
    if (!p->listed || p->machine != NULL || p->claimed_twice || life_is_gone(p) || p->vanished)
        return;
    if (p->life->step == LIFE_DELETE_CALL || p->life->step == LIFE_GONE)
        return; // it is expected
    if (p->missing_ms == 0) {
        p->missing_ms = p->core->now_ms;
        p->core->life->version++;
    }
    p->missing_rounds++;
    p->waits_list = true; // look closely
    const struct node *node = p->intention->node;
    bool long_enough = p->missing_rounds >= VANISHED_ROUNDS && p->core->now_ms >= p->missing_ms + VANISHED_MS;
    if (!long_enough || (node != NULL && node->ready == NODE_READY_TRUE)) {
        life_touch(p);
        return;
    }
    p->vanished = true;
    p->core->life->version++;
    p->core->life->nodes_changed = true; // it counts as lost now, not as broken
    core_note(p->core, NOTE_WARN, 0, life_subject(p),
              "its machine is no longer in VPSie's list, and nobody here deleted it");
    if (p->intention->group != NULL)
        core_event_group(p->core, p->intention->group, 0, true, "MachineVanished",
                         "the machine of %s is no longer in VPSie's list; nobody here deleted it",
                         p->intention->facts.name);
    life_touch(p);
}

void owners_follow(struct core *core, struct cloud_watch *watch)
{
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        struct life_private *p = life_private_of(core->cluster->intentions[i]);
        if (strcmp(p->intention->facts.resource_identifier, watch->cluster) == 0)
            follow(p);
    }
}
