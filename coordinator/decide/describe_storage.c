// Namespaces, volumes, and what pods ask about other pods, in words.
#include <inttypes.h>

#include "coordinator/decide/describe.h"

static void selector(struct text *out, const char *name, const struct selector *facts)
{
    if (facts->nothing)
        text_printf(out, " %s=nothing", name);
    else if (facts->requirement_count == 0)
        text_printf(out, " %s=all", name);
    else
        describe_requirements(out, name, facts->requirements, facts->requirement_count);
}

static void pod_terms(struct text *out, const char *name, const struct pod_term *terms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_printf(out, " %s={", name);
        describe_text(out, "by", terms[i].topology_key);
        selector(out, "pods", &terms[i].selector);
        describe_texts(out, "spaces", terms[i].spaces, terms[i].space_count);
        selector(out, "space_labels", &terms[i].space_selector);
        text_append(out, " }");
    }
}

void describe_terms(struct text *out, const struct pod_shape_facts *facts)
{
    static const char *const protocols[] = {"TCP", "UDP", "SCTP"};
    pod_terms(out, "with", facts->pod_affinity, facts->pod_affinity_count);
    pod_terms(out, "apart", facts->pod_anti_affinity, facts->pod_anti_affinity_count);
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        const struct spread_constraint *spread = &facts->spread[i];
        text_append(out, " spread={");
        describe_text(out, "by", spread->topology_key);
        selector(out, "pods", &spread->selector);
        describe_text(out, "space", spread->space);
        describe_number(out, "skew", spread->max_skew);
        describe_number(out, "domains", spread->min_domains);
        describe_flag(out, "honor_affinity", spread->honor_affinity);
        describe_flag(out, "honor_taints", spread->honor_taints);
        text_append(out, " }");
    }
    for (uint32_t i = 0; i < facts->host_port_count; i++)
        text_printf(out, " port=%s:%" PRId32 "/%s", facts->host_ports[i].ip, facts->host_ports[i].port,
                    protocols[facts->host_ports[i].protocol]);
}

void describe_node_terms(struct text *out, const char *name, const struct node_term *terms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_printf(out, " %s={", name);
        describe_requirements(out, "labels", terms[i].expressions, terms[i].expression_count);
        describe_requirements(out, "fields", terms[i].fields, terms[i].field_count);
        text_append(out, " }");
    }
}

void describe_namespace(struct text *out, const struct namespace_facts *facts)
{
    describe_text(out, "name", facts->name);
    describe_labels(out, "labels", &facts->labels);
}

void describe_claim(struct text *out, const struct claim_facts *facts)
{
    describe_text(out, "space", facts->space);
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    describe_text(out, "volume", facts->volume_name);
    describe_text(out, "class", facts->class_name);
    describe_flag(out, "bound", facts->bound);
    describe_flag(out, "lost", facts->lost);
    describe_flag(out, "one_pod_only", facts->one_pod_only);
    describe_text(out, "selected_node", facts->selected_node);
    describe_number(out, "deletion", facts->deletion_ms);
}

void describe_volume(struct text *out, const struct volume_facts *facts)
{
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    describe_text(out, "driver", facts->driver);
    describe_text(out, "handle", facts->handle);
    describe_flag(out, "affinity", facts->has_affinity);
    describe_node_terms(out, "term", facts->affinity_terms, facts->affinity_term_count);
    describe_labels(out, "labels", &facts->labels);
}

void describe_storage_class(struct text *out, const struct storage_class_facts *facts)
{
    describe_text(out, "name", facts->name);
    describe_text(out, "provisioner", facts->provisioner);
    describe_flag(out, "waits_for_consumer", facts->waits_for_consumer);
    describe_flag(out, "no_provisioner", facts->no_provisioner);
    describe_node_terms(out, "allowed", facts->allowed_topologies, facts->allowed_topology_count);
}

void describe_csi_node(struct text *out, const struct csi_node_facts *facts)
{
    describe_text(out, "name", facts->name);
    for (uint32_t i = 0; i < facts->driver_count; i++)
        text_printf(out, " %s=%" PRId32, facts->drivers[i].driver, facts->drivers[i].volumes_max);
}
