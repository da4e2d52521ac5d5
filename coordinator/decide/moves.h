// What this room is for: moves: nodes given up for fewer, cheaper or newer ones, the new ones first. Planned
// by consolidate.c and replace.c, carried through by moves.c. What it knows: the core's state, the picture of
// free space. What it may not do: take a node away before what its pods need is there, or pass a limit.
#ifndef VPSIE_COORDINATOR_DECIDE_MOVES_H
#define VPSIE_COORDINATOR_DECIDE_MOVES_H

#include "coordinator/decide/choose.h"
#include "coordinator/decide/elsewhere.h"

#define MOVES_MAX      64u
#define MOVE_NODES_MAX 10u
// The new machines have come by then (an order that fails is given up after some 40 minutes), or never will.
#define MOVE_COMING_MS ((int64_t)45 * 60000)
// Budgets, windows and drains may let the old ones wait for so long once the new ones are there.
#define MOVE_LEAVING_MS ((int64_t)2 * 3600000)
// A leader that has just begun looks around for so long before it plans any.
#define MOVES_SETTLE_MS ((int64_t)60000)
// With --billing-period a move begins so long before the window in which its nodes may leave.
#define MOVE_LEAD_MS ((int64_t)10 * 60000)

// KEY_CREATION_REASON of what moves order.
#define MOVE_CREATION_REASON "rebalance"

// ---- a plan

struct move_plan {
    struct group *group;
    enum disruption_reason reason;
    struct node *nodes[MOVE_NODES_MAX];
    uint32_t node_count;
    int64_t size_id; // of the machines to come
    uint32_t machines;
    uint32_t pods; // that move
    double disturbance;
    double price_before, price_after; // an hour; of the nodes, of the machines
    bool priced;                      // all of these prices are known
    uint32_t unserved;                // pods without a place anywhere: the plan is none
    char why[300];                    // it is none, "" when it is one; else why it is made
};

// What can come in one group, and where its nodes' pods can go: for one look.
struct planner {
    struct core *core;
    struct arena *arena;
    struct elsewhere *elsewhere;
    struct group *group;
    struct template_node *made; // by choice
    struct choice *choices;
    uint32_t choice_count;
    uint32_t room;          // machines it may order
    double price_room_hour; // what they may cost together; < 0: any price
    char room_why[240];     // when it may order none
    int64_t sound;          // nodes that are in service and well
};
struct planner planner_create(struct core *core, struct arena *arena, struct elsewhere *elsewhere,
                              struct group *group);
// What would have to come if these nodes went. The picture is left as it was. `least`: machines that come at
// least, be they needed or not.
struct move_plan planner_try(struct planner *planner, struct node *const *nodes, uint32_t count,
                             enum disruption_reason reason, uint32_t least);

// ---- a move

enum move_state {
    MOVE_RECOMMENDED, // waits for somebody's approval
    MOVE_COMING,      // its machines are on their way
    MOVE_LEAVING      // its nodes leave, as budgets and windows allow
};
struct move {
    enum move_state state;
    enum disruption_reason reason;
    uint64_t decision_id;
    int64_t since_ms;                  // in this state
    const char *space, *group;         // interned
    const char *nodes[MOVE_NODES_MAX]; // interned; those that have not begun to leave
    uint32_t node_count;
    int64_t size_id;
    uint32_t machines;
    char held[160]; // what the move waits for, "" when for nothing
};
struct moves {
    struct move items[MOVES_MAX];
    uint32_t count;
    uint64_t term; // what another term began is not known well enough to go on
    int64_t began_ms;
    // the youngest node of ours, for replace.c
    uint64_t youngest_at_version; // cluster->version + 1, 0: not known
    int64_t youngest_created_ms;
    char youngest_kubelet[80];
};

// "replace w-1 w-2 by 1 large"
void move_plan_describe(const struct core *core, const struct move_plan *plan, char *text, size_t bytes);

// One look: carry on what has begun, then plan more. Uses policy->scratch.
void moves_consider(struct core *core);
// Decide it, and begin; false, without a word, when the group has a move already, or the same was said before
// and nothing came of it. `approval`: recommend only.
bool moves_begin(struct core *core, const struct move_plan *plan, const char *summary, const char *reason,
                 bool approval);
const struct move *moves_of_group(const struct core *core, const struct group *group); // under way; NULL
const struct move *moves_of_node(const struct core *core, const struct node *node); // takes this node; NULL
const struct move *moves_came_for(const struct core *core,
                                  const struct node *node); // brought this node; NULL
// Carry out what was recommended under this decision. False, and why in `text`.
bool moves_approve(struct core *core, uint64_t decision_id, char *text, size_t bytes);

// ---- consolidation

struct strategy { // of costOptimization.strategy; the numbers are in the documents, too
    const char *name;
    int64_t horizon_ms;     // the saving is counted over this
    double pod_price;       // dollars for moving one pod of priority 0
    int32_t saving_percent; // of the nodes' price, at least
    uint32_t nodes_max;     // in one move
    bool recommends;        // only
};
const struct strategy *consolidate_strategy(enum cost_strategy strategy);
// Is it on for this group? On false *why says what would have to change.
bool consolidate_enabled(const struct core *core, const struct group *group, const char **why);
struct worth {
    double saving;       // over the horizon, before the cost
    double cost;         // of the move
    double saving_month; // once it is done
    bool worth;
};
struct worth consolidate_worth(const struct core *core, const struct move_plan *plan);
// Plan one move in the group whose turn it is.
void consolidate_consider(struct core *core, struct arena *arena);
// So long the node is not moved again, lest a move undoes another; 0: it may be.
int64_t consolidate_rests_until(struct core *core, struct group *group, const struct node *node);
void consolidate_remember(struct core *core, struct group *group); // a consolidation begins
// In words, appended to `out`.
void consolidate_explain(struct core *core, struct node *node, struct arena *arena, struct explanation *out);
void consolidate_explain_group(struct core *core, struct group *group, struct arena *arena,
                               struct explanation *out);

// ---- replacement

// Why should this node be replaced? "" when it need not; static or in `text`.
const char *replace_why(struct core *core, const struct node *node, char *text, size_t bytes);
void replace_consider(struct core *core, struct arena *arena);
void replace_explain(struct core *core, struct node *node, struct arena *arena, struct explanation *out);

#endif
