#include "coordinator/kube/workers.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/metrics.h"

#define STACK_BYTES ((size_t)1 << 20)

struct job {
    struct job *next;
    struct command *command;
};

struct workers {
    workers_execute execute;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first, **last; // in the order of submission
    uint32_t waiting, events_waiting;
    const char **running; // key of each worker's command, NULL when idle
    uint32_t thread_count;
    uint32_t started;
    pthread_t *threads;
    bool stopping;
};

static const char *key_of(const struct command *command)
{
    return command->key ? command->key : "";
}

static bool is_running(const struct workers *workers, const char *key)
{
    for (uint32_t i = 0; i < workers->thread_count; i++) {
        if (workers->running[i] && strcmp(workers->running[i], key) == 0)
            return true;
    }
    return false;
}

// The first waiting command whose key nobody is at work on; those of that key behind it wait for it.
static struct job *take(struct workers *workers)
{
    for (struct job **link = &workers->first; *link; link = &(*link)->next) {
        struct job *job = *link;
        const char *key = key_of(job->command);
        if (*key && is_running(workers, key))
            continue;
        *link = job->next;
        if (!job->next)
            workers->last = link;
        workers->waiting--;
        workers->events_waiting -= job->command->kind == COMMAND_KUBE_EVENT;
        return job;
    }
    return NULL;
}

static void *work(void *argument)
{
    struct workers *workers = argument;
    pthread_mutex_lock(&workers->lock);
    uint32_t self = workers->started++;
    for (;;) {
        struct job *job = take(workers);
        if (!job) {
            if (workers->stopping && !workers->first)
                break;
            pthread_cond_wait(&workers->changed, &workers->lock);
            continue;
        }
        workers->running[self] = key_of(job->command);
        pthread_mutex_unlock(&workers->lock);
        workers->execute(workers->context, job->command);
        pthread_mutex_lock(&workers->lock);
        workers->running[self] = NULL;
        command_destroy(job->command);
        free(job);
        pthread_cond_broadcast(&workers->changed); // one that waited for this key may go on
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

struct workers *workers_start(uint32_t threads, workers_execute execute, void *context)
{
    assert(threads > 0);
    struct workers *workers = xcalloc(1, sizeof(*workers));
    workers->execute = execute;
    workers->context = context;
    workers->last = &workers->first;
    workers->thread_count = threads;
    workers->running = xcalloc(threads, sizeof(*workers->running));
    workers->threads = xcalloc(threads, sizeof(*workers->threads));
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->changed, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (uint32_t i = 0; i < threads; i++) {
        if (pthread_create(&workers->threads[i], &attributes, work, workers) != 0)
            abort();
    }
    pthread_attr_destroy(&attributes);
    return workers;
}

void workers_submit(struct workers *workers, struct command *command)
{
    pthread_mutex_lock(&workers->lock);
    assert(!workers->stopping);
    bool is_event = command->kind == COMMAND_KUBE_EVENT;
    if (is_event && workers->events_waiting >= WORKERS_EVENTS_MAX) {
        pthread_mutex_unlock(&workers->lock);
        metric_add(metrics_counter("vpsie_autoscaler_kube_events_dropped_total", "reason=\"queue\"",
                                   "Kubernetes events that were not written."),
                   1);
        command_destroy(command);
        return;
    }
    struct job *job = xcalloc(1, sizeof(*job));
    job->command = command;
    *workers->last = job;
    workers->last = &job->next;
    workers->waiting++;
    workers->events_waiting += is_event;
    pthread_cond_signal(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
}

uint32_t workers_waiting(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    uint32_t waiting = workers->waiting;
    pthread_mutex_unlock(&workers->lock);
    return waiting;
}

void workers_stop(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
    for (uint32_t i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_mutex_destroy(&workers->lock);
    pthread_cond_destroy(&workers->changed);
    free(workers->running);
    free(workers->threads);
    free(workers);
}
