// What this room is for: what every end-to-end story needs: a stage with one group and one deployment, and
// the questions stories ask. What it knows: the stage. What it may not do: assert a time; limits are only
// there so that a failure ends.
#ifndef VPSIE_TESTS_E2E_E2E_H
#define VPSIE_TESTS_E2E_E2E_H

#include "tests/stage/stage.h"

#define E2E_LIMIT_MS  90000
#define E2E_SPACE     "shop"
#define E2E_APP       "web"
#define E2E_GROUP_MIN 1
#define E2E_GROUP_MAX 6

// A group "general" of 2-cpu machines (1 to 6) and a deployment "web" of no pods yet, each asking for 800m
// cpu: two fit on a machine. With agents.
struct stage *e2e_stage(const char *name, uint64_t seed);
void e2e_scale(struct stage *stage, int replicas);

// Conditions for stage_wait(); context is an int * where a number is needed.
bool e2e_leads(struct stage *stage, void *index);        // the coordinator says that it acts
bool e2e_agents_heard(struct stage *stage, void *index); // as many agents as machines
bool e2e_all_run(struct stage *stage, void *replicas);   // so many pods, all running
bool e2e_machines(struct stage *stage, void *count);     // exactly so many machines, nodes and intentions
bool e2e_at_least_machines(struct stage *stage, void *count);
bool e2e_orders_open(struct stage *stage,
                     void *unused); // a call was made and its machine is not a Ready node yet
bool e2e_removing(struct stage *stage, void *unused); // a VPSieNode is Terminating or Deleting

// Nothing lost, nothing doubled, masters and foreign machines as they were. Fails the test with a report.
void e2e_assert_sound(struct stage *stage);
// After a failure: the logs; always: the end of the stage.
void e2e_end(struct stage *stage, bool failed);

// cmocka's asserts jump out of the test: this puts the logs on the screen first.
#define e2e_assert(stage, what)                                                                              \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            stage_print_logs(stage);                                                                         \
            fail_msg("%s", #what);                                                                           \
        }                                                                                                    \
    } while (0)
#define e2e_wait(stage, condition, context)                                                                  \
    e2e_assert(stage, stage_wait((stage), #condition, (condition), (context), E2E_LIMIT_MS))

#endif
