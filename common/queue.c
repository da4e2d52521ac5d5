#include "common/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/arena.h"

#define QUEUE_MAGIC 0x71756575u

struct queue {
    uint32_t magic;
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    size_t capacity;
    size_t head; // of the oldest item
    size_t length;
    uint64_t waits;
    bool closed;
    void *items[];
};

static void check(const struct queue *queue)
{
    assert(queue != NULL && queue->magic == QUEUE_MAGIC);
    (void)queue;
}

struct queue *queue_create(size_t capacity)
{
    assert(capacity >= 1 && capacity < SIZE_MAX / sizeof(void *) / 2);
    struct queue *queue = xcalloc(1, sizeof(*queue) + capacity * sizeof(void *));
    queue->magic = QUEUE_MAGIC;
    queue->capacity = capacity;
    pthread_mutex_init(&queue->lock, NULL);
    // Timed waits count monotonic time: a wall clock that is set must not stretch them.
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->not_empty, &attributes);
    pthread_cond_init(&queue->not_full, &attributes);
    pthread_condattr_destroy(&attributes);
    return queue;
}

void queue_destroy(struct queue *queue)
{
    if (queue == NULL)
        return;
    check(queue);
    assert(queue->length == 0);
    pthread_cond_destroy(&queue->not_full);
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->lock);
    queue->magic = 0;
    free(queue);
}

static void put(struct queue *queue, void *item)
{
    assert(queue->length < queue->capacity);
    queue->items[(queue->head + queue->length) % queue->capacity] = item;
    queue->length++;
    pthread_cond_signal(&queue->not_empty);
}

bool queue_push(struct queue *queue, void *item)
{
    check(queue);
    assert(item != NULL);
    pthread_mutex_lock(&queue->lock);
    if (queue->length == queue->capacity && !queue->closed)
        queue->waits++;
    while (queue->length == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    bool open = !queue->closed;
    if (open)
        put(queue, item);
    pthread_mutex_unlock(&queue->lock);
    return open;
}

bool queue_try_push(struct queue *queue, void *item)
{
    check(queue);
    assert(item != NULL);
    pthread_mutex_lock(&queue->lock);
    bool full = queue->length == queue->capacity;
    bool taken = !full && !queue->closed;
    if (full && !queue->closed)
        queue->waits++;
    if (taken)
        put(queue, item);
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

static struct timespec deadline_after(int64_t timeout_ms)
{
    const int64_t longest_ms = INT64_C(1000) * 60 * 60 * 24 * 365;
    if (timeout_ms > longest_ms)
        timeout_ms = longest_ms;
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_nsec -= 1000000000;
        deadline.tv_sec++;
    }
    return deadline;
}

static void wait_for_item(struct queue *queue, int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        while (queue->length == 0 && !queue->closed)
            pthread_cond_wait(&queue->not_empty, &queue->lock);
        return;
    }
    if (timeout_ms == 0)
        return;
    struct timespec deadline = deadline_after(timeout_ms);
    int result = 0;
    while (queue->length == 0 && !queue->closed && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&queue->not_empty, &queue->lock, &deadline);
}

void *queue_pop(struct queue *queue, int64_t timeout_ms)
{
    check(queue);
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    wait_for_item(queue, timeout_ms);
    if (queue->length > 0) {
        item = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->capacity;
        queue->length--;
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void queue_close(struct queue *queue)
{
    check(queue);
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
}

// A reader locks too: the lock is not part of what const promises.
static struct queue *writable(const struct queue *queue)
{
    check(queue);
    return (struct queue *)queue;
}

size_t queue_length(const struct queue *queue)
{
    struct queue *locked = writable(queue);
    pthread_mutex_lock(&locked->lock);
    size_t length = locked->length;
    pthread_mutex_unlock(&locked->lock);
    return length;
}

uint64_t queue_waits(const struct queue *queue)
{
    struct queue *locked = writable(queue);
    pthread_mutex_lock(&locked->lock);
    uint64_t waits = locked->waits;
    pthread_mutex_unlock(&locked->lock);
    return waits;
}
