// What this room is for: remembering, of every object of one kind, only what it takes to tell a change from a
// repetition: name, uid, version. What it knows: how lists and watches of Kubernetes relate in time. What it
// may not do: keep objects, talk to anybody.
#ifndef VPSIE_COORDINATOR_KUBE_STORE_H
#define VPSIE_COORDINATOR_KUBE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Versions are metadata.resourceVersion. They are compared as numbers where both are (they are revisions of
// etcd), else only for equality.
struct store;
struct store *store_create(uint32_t objects_max);
void store_destroy(struct store *store);

// Held over every change and its telling, so that what is told is never older than what was told before. A
// list holds it from before its request until its end: whatever a watch delivers later is then judged by the
// list's version.
void store_lock(struct store *store);
void store_unlock(struct store *store);

// The rest needs the lock.
enum store_verdict {
    STORE_NEW,
    STORE_CHANGED,
    STORE_REPLACED, // same name, another uid: the former one is gone (its uid is in *former_uid)
    STORE_SAME,     // nothing new
    STORE_STALE,    // older than what is known
    STORE_FULL      // one more than objects_max: refused
};
// An object in a watch event, or in a list (between store_list_begin and _end). `former_uid` is valid until
// the next call.
enum store_verdict store_see(struct store *store, const char *space, const char *name, const char *uid,
                             const char *version, const char **former_uid);
// A DELETED event: true when the object was known, and is to be told as gone.
bool store_remove(struct store *store, const char *space, const char *name, const char *uid,
                  const char *version);

void store_list_begin(struct store *store);
typedef void (*store_gone)(void *context, const char *space, const char *name, const char *uid);
// The list of `version` is complete. What it did not hold is gone, unless parts of it were `unreadable`:
// then nothing is concluded from absence.
void store_list_end(struct store *store, const char *version, bool unreadable, store_gone gone,
                    void *context);
void store_list_abort(struct store *store);

size_t store_count(const struct store *store);

#endif
