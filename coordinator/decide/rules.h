// What this room is for: the one table of rules that scale_down obeys and explain shows. What it knows: one
// node, its group, its agent, its pods. What it may not do: change anything, or look at other nodes' pods.
#ifndef VPSIE_COORDINATOR_DECIDE_RULES_H
#define VPSIE_COORDINATOR_DECIDE_RULES_H

#include "coordinator/decide/policy.h"

struct node_case {
    struct core *core;
    struct node *node;
    struct intention *intention;
    struct group *group; // of the intention
    const struct life *life;
    enum disruption_reason reason; // why it would go
    bool begun;                    // machines have come for it already
};

struct node_rule {
    const char *name;
    void (*check)(struct node_case *seen, struct answer *answer);
    bool alone;       // when it does not pass, the others mean nothing
    uint32_t reasons; // enum disruption_reason: for removals with these reasons
    bool settles;     // it says when to begin: not asked once a move has begun
};
// In the order in which they are asked; what is cheap and usual to fail comes first.
extern const struct node_rule NODE_RULES[];
extern const uint32_t NODE_RULE_COUNT;

// What pods say (rules_pods.c): only those that count, life_pod_counts().
void rule_controllers(struct node_case *seen, struct answer *answer);
void rule_kube_system(struct node_case *seen, struct answer *answer);
void rule_do_not_disrupt(struct node_case *seen, struct answer *answer);
void rule_local_data(struct node_case *seen, struct answer *answer);
void rule_budgets(struct node_case *seen, struct answer *answer);
void rule_pods_evidence(struct node_case *seen, struct answer *answer);
void rule_own_pod(struct node_case *seen, struct answer *answer);

// What moves bring (moves.c).
void rule_move(struct node_case *seen, struct answer *answer);
void rule_rests(struct node_case *seen, struct answer *answer);

// The budgets of a namespace: their number, and the index of the first.
uint32_t rules_budgets_in(const struct cluster *cluster, const char *space, uint32_t *first);
// The budgets that select the pod: their number, and the first.
uint32_t rules_budgets_of(const struct cluster *cluster, const struct pod *pod, const struct budget **first);

#endif
