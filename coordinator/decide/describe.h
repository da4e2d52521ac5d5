// What this room is for: facts as one line of canonical text, for traces and debug logs. What it knows:
// facts. What it may not do: decide, or print anything that depends on addresses. What is absent ("" and 0)
// is not printed.
#ifndef VPSIE_COORDINATOR_DECIDE_DESCRIBE_H
#define VPSIE_COORDINATOR_DECIDE_DESCRIBE_H

#include "common/text.h"
#include "coordinator/decide/event.h"

// Each appends " name=value" to `out`.
void describe_text(struct text *out, const char *name, const char *value);
void describe_number(struct text *out, const char *name, int64_t value);
void describe_real(struct text *out, const char *name, double value);
void describe_flag(struct text *out, const char *name, bool value);
void describe_tristate(struct text *out, const char *name, enum tristate value);
void describe_texts(struct text *out, const char *name, const char *const *items, uint32_t count);
void describe_labels(struct text *out, const char *name, const struct labels *labels);
void describe_taints(struct text *out, const char *name, const struct taints *taints);
void describe_conditions(struct text *out, const struct condition_facts *conditions, uint32_t count);

void describe_requirements(struct text *out, const char *name, const struct requirement *items,
                           uint32_t count);
void describe_node_terms(struct text *out, const char *name, const struct node_term *terms, uint32_t count);
void describe_multi_region(struct text *out, const struct multi_region_facts *facts);
void describe_cost(struct text *out, const struct cost_facts *facts);
void describe_disruption_budgets(struct text *out, const struct disruption_budget_facts *budgets,
                                 uint32_t count);
void describe_terms(struct text *out, const struct pod_shape_facts *facts); // about other pods, and ports

void describe_node(struct text *out, const struct node_facts *facts);
void describe_pod(struct text *out, const struct pod_facts *facts);
void describe_budget(struct text *out, const struct budget_facts *facts);
void describe_daemonset(struct text *out, const struct daemonset_facts *facts);
void describe_attachment(struct text *out, const struct volume_attachment_facts *facts);
void describe_namespace(struct text *out, const struct namespace_facts *facts);
void describe_claim(struct text *out, const struct claim_facts *facts);
void describe_volume(struct text *out, const struct volume_facts *facts);
void describe_storage_class(struct text *out, const struct storage_class_facts *facts);
void describe_csi_node(struct text *out, const struct csi_node_facts *facts);
void describe_group(struct text *out, const struct nodegroup_facts *facts);
void describe_intention(struct text *out, const struct intention_facts *facts);
void describe_config(struct text *out, const struct config_facts *facts);
void describe_report(struct text *out, const struct agent_report_facts *facts);
void describe_machine(struct text *out, const struct machine_facts *facts);
void describe_vpsie_group(struct text *out, const struct vpsie_group_facts *facts);
void describe_offer(struct text *out, const struct offer_facts *facts);

const char *intention_phase_name(enum intention_phase phase); // "Pending", ...
const char *evidence_state_name(enum evidence_state state);   // "UNKNOWN", "READY", ...
const char *taint_effect_name(enum taint_effect effect);      // "NoSchedule", ...

#endif
