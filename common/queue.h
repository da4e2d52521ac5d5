// What this room is for: the one bounded way from many doors to the core's thread (and back to a door's
// workers). What it knows: pointers. What it may not do: drop anything: a full queue makes its producer wait.
#ifndef VPSIE_COMMON_QUEUE_H
#define VPSIE_COMMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue *queue_create(size_t capacity); // capacity >= 1
void queue_destroy(struct queue *queue);     // must be empty, nobody waiting
// Waits while full. Returns false (and does not take the item) once the queue is closed.
bool queue_push(struct queue *queue, void *item);
// Never waits: false when full or closed.
bool queue_try_push(struct queue *queue, void *item);
// Waits up to timeout_ms (< 0: for ever). NULL on timeout, or when closed and empty.
void *queue_pop(struct queue *queue, int64_t timeout_ms);
// After this pushes fail; what is inside can still be popped. Wakes everyone.
void queue_close(struct queue *queue);
size_t queue_length(const struct queue *queue);
uint64_t queue_waits(const struct queue *queue); // how often a push found it full: a metric

#endif
