#include "coordinator/fleet/directives.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

// Where the directive of this node is, or would have to be.
static uint32_t place_of(const struct directives *directives, const char *node_name, bool *found)
{
    uint32_t low = 0, high = directives->count;
    *found = false;
    while (low < high && !*found) {
        uint32_t middle = low + (high - low) / 2u;
        int order = strcmp(directives->items[middle].command->directive.node_name, node_name);
        *found = order == 0;
        if (order < 0) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return *found ? high : low;
}

static void drop(struct directives *directives, uint32_t index)
{
    command_destroy(directives->items[index].command);
    directives->count--;
    memmove(directives->items + index, directives->items + index + 1,
            (directives->count - index) * sizeof *directives->items);
}

void directives_free(struct directives *directives)
{
    while (directives->count > 0) {
        drop(directives, directives->count - 1u);
    }
    free(directives->items);
    memset(directives, 0, sizeof *directives);
}

void directives_put(struct directives *directives, struct command *command)
{
    bool found = false;
    uint32_t index = place_of(directives, command->directive.node_name, &found);
    if (found) {
        drop(directives, index);
    }
    if (directives->count == directives->capacity) {
        directives->capacity = directives->capacity == 0 ? 16u : directives->capacity * 2u;
        directives->items =
            xrealloc_array(directives->items, directives->capacity, sizeof *directives->items);
    }
    memmove(directives->items + index + 1, directives->items + index,
            (directives->count - index) * sizeof *directives->items);
    directives->items[index] = (struct pending_directive){.command = command};
    directives->count++;
}

const struct command *directives_next(struct directives *directives, const char *node_name,
                                      const char *answered_id, int64_t now_ms, bool *open)
{
    *open = false;
    bool found = false;
    uint32_t index = place_of(directives, node_name, &found);
    if (!found) {
        return NULL;
    }
    struct pending_directive *pending = &directives->items[index];
    const struct command *command = pending->command;
    bool prepares = command->directive.kind == DIRECTIVE_PREPARE_DRAIN;
    bool names_it =
        command->directive.directive_id != NULL && strcmp(command->directive.directive_id, answered_id) == 0;
    if (prepares && command->directive.deadline_ms > 0 && now_ms > command->directive.deadline_ms) {
        drop(directives, index);
        return NULL;
    }
    if (prepares) {
        *open = true;
        return names_it ? NULL : command;
    }
    // A cancellation goes out until the agent no longer answers for what it cancels; an interval goes out
    // once.
    bool again = command->directive.kind == DIRECTIVE_CANCEL_DRAIN && names_it;
    if (pending->sent && !again) {
        drop(directives, index);
        return NULL;
    }
    pending->sent = true;
    return command;
}
