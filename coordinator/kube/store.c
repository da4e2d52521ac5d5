#include "coordinator/kube/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"

#define BUCKETS_MIN 256u

struct version {
    uint64_t number; // or a hash of the text
    bool ordered;
};

struct entry {
    struct entry *next;
    uint64_t hash;
    struct version version;
    uint32_t seen; // list in which it was last met
    uint32_t name_at, uid_at;
    char text[]; // space, name, uid, each terminated
};

struct store {
    pthread_mutex_t lock;
    struct entry **buckets;
    size_t bucket_count;
    size_t count;
    uint32_t objects_max;
    uint32_t list;        // number of the present or last list
    bool listing;         // a list is being taken in
    struct version floor; // version of the last complete list: nothing older than it is news
    char *former_uid;
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return (hash ^ 0xff) * 1099511628211u; // the end of a part
}

static uint64_t hash_key(const char *space, const char *name)
{
    return hash_text(hash_text(14695981039346656037u, space), name);
}

static struct version read_version(const char *text)
{
    struct version version = {0};
    version.ordered = text_parse_u64(text, strlen(text), &version.number, NULL) == 0;
    if (!version.ordered)
        version.number = hash_text(14695981039346656037u, text);
    return version;
}

static bool same_version(struct version a, struct version b)
{
    return a.ordered == b.ordered && a.number == b.number;
}

static bool not_after(struct version a, struct version b)
{
    return a.ordered && b.ordered && a.number <= b.number;
}

struct store *store_create(uint32_t objects_max)
{
    struct store *store = xcalloc(1, sizeof(*store));
    pthread_mutex_init(&store->lock, NULL);
    store->objects_max = objects_max;
    store->bucket_count = BUCKETS_MIN;
    store->buckets = xcalloc(BUCKETS_MIN, sizeof(struct entry *));
    return store;
}

void store_destroy(struct store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->bucket_count; i++) {
        for (struct entry *entry = store->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    pthread_mutex_destroy(&store->lock);
    free(store->buckets);
    free(store->former_uid);
    free(store);
}

void store_lock(struct store *store)
{
    pthread_mutex_lock(&store->lock);
}

void store_unlock(struct store *store)
{
    pthread_mutex_unlock(&store->lock);
}

size_t store_count(const struct store *store)
{
    return store->count;
}

static const char *entry_name(const struct entry *entry)
{
    return entry->text + entry->name_at;
}

static const char *entry_uid(const struct entry *entry)
{
    return entry->text + entry->uid_at;
}

static struct entry **find(const struct store *store, uint64_t hash, const char *space, const char *name)
{
    struct entry **link = &store->buckets[hash & (store->bucket_count - 1)];
    for (; *link; link = &(*link)->next) {
        const struct entry *entry = *link;
        if (entry->hash == hash && strcmp(entry->text, space) == 0 && strcmp(entry_name(entry), name) == 0)
            break;
    }
    return link;
}

static void grow(struct store *store)
{
    size_t count = store->bucket_count * 2;
    struct entry **buckets = xcalloc(count, sizeof(struct entry *));
    for (size_t i = 0; i < store->bucket_count; i++) {
        for (struct entry *entry = store->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            entry->next = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    }
    free(store->buckets);
    store->buckets = buckets;
    store->bucket_count = count;
}

static void insert(struct store *store, uint64_t hash, const char *space, const char *name, const char *uid,
                   struct version version)
{
    size_t space_bytes = strlen(space) + 1;
    size_t name_bytes = strlen(name) + 1;
    size_t uid_bytes = strlen(uid) + 1;
    if (store->count >= store->bucket_count)
        grow(store);
    struct entry *entry = xcalloc(1, sizeof(*entry) + space_bytes + name_bytes + uid_bytes);
    entry->hash = hash;
    entry->version = version;
    entry->seen = store->list;
    entry->name_at = (uint32_t)space_bytes;
    entry->uid_at = (uint32_t)(space_bytes + name_bytes);
    memcpy(entry->text, space, space_bytes);
    memcpy(entry->text + entry->name_at, name, name_bytes);
    memcpy(entry->text + entry->uid_at, uid, uid_bytes);
    struct entry **bucket = &store->buckets[hash & (store->bucket_count - 1)];
    entry->next = *bucket;
    *bucket = entry;
    store->count++;
}

static void drop(struct store *store, struct entry **link)
{
    struct entry *entry = *link;
    *link = entry->next;
    free(entry);
    store->count--;
}

enum store_verdict store_see(struct store *store, const char *space, const char *name, const char *uid,
                             const char *version, const char **former_uid)
{
    struct version now = read_version(version);
    uint64_t hash = hash_key(space, name);
    struct entry **link = find(store, hash, space, name);
    *former_uid = "";
    // A list is taken under the lock and is the latest word, even when versions went back (a restored etcd).
    if (!store->listing && not_after(now, store->floor))
        return STORE_STALE;
    if (!*link) {
        if (store->count >= store->objects_max)
            return STORE_FULL;
        insert(store, hash, space, name, uid, now);
        return STORE_NEW;
    }
    struct entry *entry = *link;
    entry->seen = store->list;
    if (same_version(entry->version, now))
        return STORE_SAME;
    if (!store->listing && not_after(now, entry->version))
        return STORE_STALE;
    if (strcmp(entry_uid(entry), uid) == 0) {
        entry->version = now;
        return STORE_CHANGED;
    }
    free(store->former_uid);
    store->former_uid = xstrdup(entry_uid(entry));
    *former_uid = store->former_uid;
    drop(store, link);
    insert(store, hash, space, name, uid, now);
    return STORE_REPLACED;
}

bool store_remove(struct store *store, const char *space, const char *name, const char *uid,
                  const char *version)
{
    assert(!store->listing);
    struct version now = read_version(version);
    struct entry **link = find(store, hash_key(space, name), space, name);
    if (!*link || not_after(now, store->floor) || strcmp(entry_uid(*link), uid) != 0)
        return false;
    drop(store, link);
    return true;
}

void store_list_begin(struct store *store)
{
    store->listing = true;
    store->list++;
}

void store_list_abort(struct store *store)
{
    store->listing = false;
}

void store_list_end(struct store *store, const char *version, bool unreadable, store_gone gone, void *context)
{
    assert(store->listing);
    store->listing = false;
    store->floor = read_version(version);
    for (size_t i = 0; i < store->bucket_count && !unreadable; i++) {
        struct entry **link = &store->buckets[i];
        while (*link) {
            struct entry *entry = *link;
            if (entry->seen == store->list) {
                link = &entry->next;
                continue;
            }
            gone(context, entry->text, entry_name(entry), entry_uid(entry));
            drop(store, link);
        }
    }
}
