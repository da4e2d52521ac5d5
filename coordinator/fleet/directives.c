#include "coordinator/fleet/directives.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

static void drop(struct directives *directives, uint32_t index)
{
    command_destroy(directives->items[index].command);
    directives->items[index] = directives->items[--directives->count];
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
    for (uint32_t i = 0; i < directives->count; i++) {
        if (strcmp(directives->items[i].command->directive.node_name, command->directive.node_name) == 0) {
            drop(directives, i);
            break;
        }
    }
    if (directives->count == directives->capacity) {
        directives->capacity = directives->capacity == 0 ? 16u : directives->capacity * 2u;
        directives->items =
            xrealloc_array(directives->items, directives->capacity, sizeof *directives->items);
    }
    directives->items[directives->count++] = (struct pending_directive){.command = command};
}

const struct command *directives_next(struct directives *directives, const char *node_name,
                                      const char *answered_id, int64_t now_ms, bool *open)
{
    *open = false;
    for (uint32_t i = 0; i < directives->count; i++) {
        struct pending_directive *pending = &directives->items[i];
        const struct command *command = pending->command;
        if (strcmp(command->directive.node_name, node_name) != 0) {
            continue;
        }
        bool prepares = command->directive.kind == DIRECTIVE_PREPARE_DRAIN;
        bool names_it = command->directive.directive_id != NULL &&
                        strcmp(command->directive.directive_id, answered_id) == 0;
        if (prepares && command->directive.deadline_ms > 0 && now_ms > command->directive.deadline_ms) {
            drop(directives, i);
            return NULL;
        }
        if (prepares) {
            *open = true;
            pending->answered = pending->answered || names_it;
            return names_it ? NULL : command;
        }
        // A cancellation goes out until the agent no longer answers for what it cancels; an interval goes out
        // once.
        bool again = command->directive.kind == DIRECTIVE_CANCEL_DRAIN && names_it;
        if (pending->answered && !again) {
            drop(directives, i);
            return NULL;
        }
        pending->answered = true;
        return command;
    }
    return NULL;
}
