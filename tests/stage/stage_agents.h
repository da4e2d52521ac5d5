// What this room is for: a real agent process for every machine of the world whose kubelet runs, and the
// files it reads. What it knows: the stage. What it may not do: be used from outside tests/stage.
#ifndef VPSIE_TESTS_STAGE_STAGE_AGENTS_H
#define VPSIE_TESTS_STAGE_STAGE_AGENTS_H

#include "tests/stage/stage.h"

void stage_agents_tick(struct stage *stage); // start what is missing, end what is gone, move every counter on
void stage_agents_stop(struct stage *stage);
// Stops a program kindly; counts and tells an end that was not a good one.
void stage_stop_program(struct stage *stage, struct process *process);

#endif
