#include "agent/delta.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

#define NOISE_CPU_MILLIS 10
#define NOISE_BYTES      ((uint64_t)1024 * 1024)
#define NOISE_COUNT      2

void delta_free(struct delta *delta)
{
    free(delta->pods);
    *delta = (struct delta){0};
}

struct delta_pod *delta_find(const struct delta *delta, const char *uid)
{
    size_t low = 0, high = delta->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(delta->pods[middle].uid, uid);
        if (order == 0)
            return &delta->pods[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct delta_pod *)a)->uid, ((const struct delta_pod *)b)->uid);
}

static void append(struct delta *delta, const char *uid)
{
    if (delta->count == delta->capacity) {
        delta->capacity = delta->capacity ? delta->capacity * 2 : 32;
        delta->pods = xrealloc_array(delta->pods, delta->capacity, sizeof *delta->pods);
    }
    struct delta_pod *pod = &delta->pods[delta->count++];
    *pod = (struct delta_pod){.present = true};
    memcpy(pod->uid, uid, strlen(uid) + 1);
}

static void remove_where_done(struct delta *delta)
{
    size_t kept = 0;
    for (size_t i = 0; i < delta->count; i++)
        if (delta->pods[i].present || delta->pods[i].told)
            delta->pods[kept++] = delta->pods[i];
    delta->count = kept;
}

void delta_update(struct delta *delta, const struct host_view *view)
{
    for (size_t i = 0; i < delta->count; i++)
        delta->pods[i].present = view_find_pod(view, delta->pods[i].uid) != NULL;
    remove_where_done(delta);
    size_t sorted = delta->count;
    for (size_t i = 0; i < view->pod_count; i++) {
        struct delta known = {.pods = delta->pods, .count = sorted};
        if (!delta_find(&known, view->pod[i].uid))
            append(delta, view->pod[i].uid);
    }
    if (sorted != delta->count)
        qsort(delta->pods, delta->count, sizeof *delta->pods, by_uid);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u; // FNV-1a
    return hash * 1099511628211u;
}

static struct delta_evidence evidence_of(const struct pod *pod)
{
    struct delta_evidence out = {
        .cpu_millis = pod->cpu_millis,
        .memory_bytes = pod->memory_working_set_bytes,
        .local_data_bytes = pod->local_data_bytes,
        .connections = pod->established_connections,
        .processes = pod->processes,
        .uninterruptible = pod->processes_uninterruptible,
        .host_network = pod->host_network,
        .at_least = pod->local_data_at_least,
        .words_hash = 14695981039346656037u,
    };
    for (int kind = 0; kind < EVIDENCE_KINDS; kind++) {
        out.known |= pod->evidence[kind].known ? 1u << kind : 0;
        out.words_hash = hash_text(out.words_hash, pod->evidence[kind].why);
    }
    for (uint32_t i = 0; i < pod->volume_count; i++)
        out.words_hash = hash_text(out.words_hash, pod->volumes[i].name);
    return out;
}

// More than `noise` and more than one part in `parts` of what was known.
static bool changed(uint64_t before, uint64_t now, uint64_t noise, uint64_t parts)
{
    uint64_t difference = before > now ? before - now : now - before;
    return difference > noise && difference > before / parts;
}

static bool turned(uint64_t before, uint64_t now)
{
    return (before == 0) != (now == 0);
}

bool delta_is_news(const struct delta_pod *known, const struct pod *pod)
{
    if (!known->acknowledged)
        return true;
    const struct delta_evidence before = known->evidence, now = evidence_of(pod);
    return before.known != now.known || before.words_hash != now.words_hash ||
           before.host_network != now.host_network || before.at_least != now.at_least ||
           before.uninterruptible != now.uninterruptible ||
           changed(before.cpu_millis, now.cpu_millis, NOISE_CPU_MILLIS, 20) ||
           changed(before.memory_bytes, now.memory_bytes, NOISE_BYTES, 20) ||
           turned(before.local_data_bytes, now.local_data_bytes) ||
           changed(before.local_data_bytes, now.local_data_bytes, NOISE_BYTES, 20) ||
           turned(before.connections, now.connections) ||
           changed(before.connections, now.connections, NOISE_COUNT, 10) ||
           turned(before.processes, now.processes) ||
           changed(before.processes, now.processes, NOISE_COUNT, 10);
}

void delta_send(struct delta_pod *known, const struct pod *pod)
{
    assert(known);
    known->in_flight = true;
    if (!pod)
        return;
    known->told = true;
    known->sent = evidence_of(pod);
}

void delta_accepted(struct delta *delta)
{
    for (size_t i = 0; i < delta->count; i++) {
        struct delta_pod *pod = &delta->pods[i];
        if (!pod->in_flight)
            continue;
        pod->in_flight = false;
        pod->acknowledged = pod->present;
        pod->told = pod->present;
        pod->evidence = pod->sent;
    }
    remove_where_done(delta);
}

void delta_lost(struct delta *delta)
{
    for (size_t i = 0; i < delta->count; i++) {
        if (delta->pods[i].in_flight)
            delta->pods[i].acknowledged = false;
        delta->pods[i].in_flight = false;
    }
}

void delta_forget(struct delta *delta)
{
    for (size_t i = 0; i < delta->count; i++)
        delta->pods[i].acknowledged = delta->pods[i].in_flight = delta->pods[i].told = false;
    remove_where_done(delta);
}
