// What this proves: what the manifests ask of the programs (flags, ports, paths, names, keys) is what the
// programs have, what they ask of the cluster is what the programs need, and nothing runs with more privilege
// than it has to.
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/kube/authority.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/kube/permissions.h"
#include "tests/manifests/objects.h"

static struct objects all;
static const char *agent_help, *coordinator_help;
static const struct yaml *agent, *coordinator; // their workloads
static const struct yaml *agent_container, *coordinator_container;

static const struct yaml *pod_of(const struct yaml *workload)
{
    return yaml_at(workload, "spec.template.spec");
}

static int load(void **state)
{
    (void)state;
    objects_load(&all, "deploy/crds");
    objects_load(&all, "deploy/daemonset");
    objects_load(&all, "deploy/deployment");
    agent_help = program_output(all.arena, "vpsie-agent", "--help");
    coordinator_help = program_output(all.arena, "vpsie-coordinator", "--help");
    agent = objects_find(&all, "DaemonSet", "vpsie-agent");
    coordinator = objects_find(&all, "Deployment", "vpsie-coordinator");
    agent_container = yaml_where(yaml_at(pod_of(agent), "containers"), "name", "agent");
    coordinator_container = yaml_where(yaml_at(pod_of(coordinator), "containers"), "name", "coordinator");
    return agent_container != NULL && coordinator_container != NULL ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    objects_free(&all);
    return 0;
}

// The value of a flag in the container's arguments, "" when it is not given.
static const char *flag(const struct yaml *container, const char *name)
{
    size_t length = strlen(name);
    for (const struct yaml *item = yaml_get(container, "args")->first; item != NULL; item = item->next) {
        if (strncmp(item->text, "--", 2) == 0 && strncmp(item->text + 2, name, length) == 0 &&
            item->text[2 + length] == '=') {
            return item->text + 3 + length;
        }
    }
    return "";
}

static bool has_flag(const char *help, const char *name, size_t length)
{
    AUTOFREE char *wanted = xprintf("--%.*s", (int)length, name);
    for (const char *at = help; (at = strstr(at, wanted)) != NULL; at++) {
        char after = at[length + 2], before = at > help ? at[-1] : ' ';
        if ((before == ' ' || before == '\n') && (after == ' ' || after == '\n' || after == '\0')) {
            return true;
        }
    }
    return false;
}

static void check_flags(const struct yaml *container, const char *help)
{
    for (const struct yaml *item = yaml_get(container, "args")->first; item != NULL; item = item->next) {
        assert_int_equal(strncmp(item->text, "--", 2), 0);
        size_t length = strcspn(item->text + 2, "=");
        if (!has_flag(help, item->text + 2, length)) {
            fail_msg("no such flag: %s", item->text);
        }
    }
}

static void every_flag_is_one_of_the_program(void **state)
{
    (void)state;
    check_flags(agent_container, agent_help);
    check_flags(coordinator_container, coordinator_help);
    assert_false(has_flag(agent_help, "no-such-flag", strlen("no-such-flag")));
}

// A variable is one that the program reads, or one that an argument refers to.
static void check_environment(const struct yaml *container, const char *help)
{
    for (const struct yaml *item = yaml_get(container, "env")->first; item != NULL; item = item->next) {
        AUTOFREE char *read = xprintf("$%s", yaml_text(item, "name"));
        AUTOFREE char *expanded = xprintf("$(%s)", yaml_text(item, "name"));
        bool used = strstr(help, read) != NULL;
        for (const struct yaml *arg = yaml_get(container, "args")->first; arg != NULL; arg = arg->next) {
            used = used || strstr(arg->text, expanded) != NULL;
        }
        if (!used) {
            fail_msg("nobody reads the variable %s", read + 1);
        }
    }
}

static void every_variable_is_read(void **state)
{
    (void)state;
    check_environment(agent_container, agent_help);
    check_environment(coordinator_container, coordinator_help);
}

static const char *port_of(const struct yaml *container, const char *name)
{
    return yaml_text(yaml_where(yaml_get(container, "ports"), "name", name), "containerPort");
}

static const char *after_colon(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon != NULL ? colon + 1 : "";
}

static void programs_listen_where_ports_and_probes_say(void **state)
{
    (void)state;
    assert_string_equal(after_colon(flag(agent_container, "listen")), port_of(agent_container, "metrics"));
    assert_string_equal(after_colon(flag(coordinator_container, "listen")),
                        port_of(coordinator_container, "metrics"));
    assert_string_equal(after_colon(flag(coordinator_container, "listen-agents")),
                        port_of(coordinator_container, "agents"));
    assert_string_equal(after_colon(flag(coordinator_container, "advertise-address")),
                        port_of(coordinator_container, "agents"));
    const struct yaml *const containers[] = {agent_container, coordinator_container};
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(yaml_text(containers[i], "livenessProbe.httpGet.path"), "/healthz");
        assert_string_equal(yaml_text(containers[i], "livenessProbe.httpGet.port"), "metrics");
        assert_string_equal(yaml_text(containers[i], "readinessProbe.httpGet.path"), "/readyz");
        assert_string_equal(yaml_text(containers[i], "readinessProbe.httpGet.port"), "metrics");
    }
    assert_string_equal(
        yaml_text(yaml_get(yaml_at(agent, "spec.template.metadata.annotations"), "prometheus.io/port"), ""),
        port_of(agent_container, "metrics"));
    assert_string_equal(
        yaml_text(yaml_get(yaml_at(coordinator, "spec.template.metadata.annotations"), "prometheus.io/port"),
                  ""),
        port_of(coordinator_container, "metrics"));
}

static void agents_call_the_service_by_a_name_in_its_certificate(void **state)
{
    (void)state;
    const char *service_name = flag(coordinator_container, "service-name");
    const struct yaml *service = objects_find(&all, "Service", service_name);
    assert_non_null(service);
    const struct yaml *port = yaml_where(yaml_at(service, "spec.ports"), "name", "agents");
    assert_string_equal(yaml_text(port, "targetPort"), "agents");
    AUTOFREE char *address = xprintf("%s.%s.svc:%s", service_name,
                                     yaml_text(coordinator, "metadata.namespace"), yaml_text(port, "port"));
    assert_string_equal(flag(agent_container, "coordinator"), address);
    const struct yaml *metrics = objects_find(&all, "Service", "vpsie-coordinator-metrics");
    assert_string_equal(
        yaml_text(yaml_where(yaml_at(metrics, "spec.ports"), "name", "metrics"), "targetPort"), "metrics");
}

// The volume that the path lies in, NULL when it lies in the image.
static const struct yaml *volume_under(const struct yaml *workload, const struct yaml *container,
                                       const char *path)
{
    for (const struct yaml *mount = yaml_get(container, "volumeMounts")->first; mount != NULL;
         mount = mount->next) {
        const char *at = yaml_text(mount, "mountPath");
        size_t length = strlen(at);
        if (strncmp(path, at, length) == 0 && (path[length] == '/' || path[length] == '\0')) {
            return yaml_where(yaml_at(pod_of(workload), "volumes"), "name", yaml_text(mount, "name"));
        }
    }
    return NULL;
}

static void every_path_is_mounted_from_what_it_should_be(void **state)
{
    (void)state;
    const struct yaml *socket =
        volume_under(coordinator, coordinator_container, flag(coordinator_container, "admin-socket"));
    assert_string_equal(yaml_text(socket, "emptyDir.medium"), "Memory");
    assert_string_equal(
        yaml_text(volume_under(agent, agent_container, flag(agent_container, "path.sysfs")), "hostPath.path"),
        "/sys");
    assert_string_equal(yaml_text(volume_under(agent, agent_container, flag(agent_container, "path.rootfs")),
                                  "hostPath.path"),
                        "/");
    assert_string_equal(yaml_text(pod_of(agent), "hostPID"), "true"); // whose /proc is then the host's
    assert_string_equal(flag(agent_container, "path.procfs"), "");
}

static void agents_trust_what_the_coordinator_publishes(void **state)
{
    (void)state;
    const char *path = flag(agent_container, "ca-file");
    const struct yaml *volume = volume_under(agent, agent_container, path);
    assert_string_equal(yaml_text(volume, "configMap.name"),
                        flag(coordinator_container, "ca-configmap-name"));
    const struct yaml *item = yaml_where(yaml_at(volume, "configMap.items"), "key", AUTHORITY_KEY_CA_CERT);
    assert_non_null(item);
    assert_string_equal(strrchr(path, '/') + 1, yaml_text(item, "path"));
}

static void agents_show_a_token_that_the_coordinator_accepts(void **state)
{
    (void)state;
    const char *path = flag(agent_container, "token-file");
    const struct yaml *volume = volume_under(agent, agent_container, path);
    const struct yaml *token = yaml_at(yaml_at(volume, "projected.sources")->first, "serviceAccountToken");
    assert_string_equal(yaml_text(token, "audience"), flag(coordinator_container, "agent-audience"));
    assert_string_equal(yaml_text(token, "path"), strrchr(path, '/') + 1);
    AUTOFREE char *account = xprintf("%s/%s", yaml_text(agent, "metadata.namespace"),
                                     yaml_text(pod_of(agent), "serviceAccountName"));
    assert_string_equal(flag(coordinator_container, "agent-service-account"), account);
    assert_non_null(objects_find(&all, "ServiceAccount", yaml_text(pod_of(agent), "serviceAccountName")));
    assert_non_null(
        objects_find(&all, "ServiceAccount", yaml_text(pod_of(coordinator), "serviceAccountName")));
}

static void everything_runs_with_as_little_privilege_as_it_can(void **state)
{
    (void)state;
    const struct yaml *const containers[] = {agent_container, coordinator_container};
    const struct yaml *const workloads[] = {agent, coordinator};
    for (size_t i = 0; i < 2; i++) {
        const struct yaml *security = yaml_get(containers[i], "securityContext");
        assert_string_equal(yaml_text(security, "readOnlyRootFilesystem"), "true");
        assert_string_equal(yaml_text(security, "allowPrivilegeEscalation"), "false");
        assert_string_equal(yaml_text(security, "privileged"), "false");
        assert_true(yaml_lists(yaml_at(security, "capabilities.drop"), "ALL"));
        assert_string_equal(yaml_text(pod_of(workloads[i]), "securityContext.seccompProfile.type"),
                            "RuntimeDefault");
        assert_null(yaml_get(pod_of(workloads[i]), "hostNetwork"));
        assert_non_null(yaml_at(containers[i], "resources.requests.memory"));
        assert_non_null(yaml_at(containers[i], "resources.limits.memory"));
    }
    assert_string_equal(yaml_text(pod_of(coordinator), "securityContext.runAsNonRoot"), "true");
    assert_null(yaml_at(coordinator_container, "securityContext.capabilities.add"));
    const struct yaml *added = yaml_at(agent_container, "securityContext.capabilities.add");
    assert_int_equal(yaml_count(added), 1);
    assert_true(yaml_lists(added, "DAC_READ_SEARCH"));
    for (const struct yaml *mount = yaml_get(agent_container, "volumeMounts")->first; mount != NULL;
         mount = mount->next) {
        assert_string_equal(yaml_text(mount, "readOnly"), "true");
    }
}

static void the_agent_runs_everywhere_and_may_nothing_in_the_cluster(void **state)
{
    (void)state;
    const struct yaml *toleration = yaml_at(pod_of(agent), "tolerations")->first;
    assert_string_equal(yaml_text(toleration, "operator"), "Exists");
    assert_null(yaml_get(toleration, "key"));
    assert_null(yaml_get(toleration, "effect"));
    assert_string_equal(yaml_text(pod_of(agent), "priorityClassName"), "system-node-critical");
    assert_string_equal(yaml_text(pod_of(agent), "automountServiceAccountToken"), "false");
    const char *account = yaml_text(pod_of(agent), "serviceAccountName");
    for (size_t i = 0; i < all.count; i++) {
        assert_null(yaml_where(yaml_get(all.items[i], "subjects"), "name", account));
    }
}

// ------------------------------------------------------------------------------------------ permissions

static const char *name_of(enum permission_name name)
{
    switch (name) {
    case PERMISSION_ANY: return "";
    case PERMISSION_NAME_LEASE: return flag(coordinator_container, "lease-name");
    case PERMISSION_NAME_CREDENTIALS: return flag(coordinator_container, "secret-name");
    case PERMISSION_NAME_TLS: return flag(coordinator_container, "tls-secret-name");
    case PERMISSION_NAME_CA: return flag(coordinator_container, "ca-configmap-name");
    case PERMISSION_NAME_HOOKS: return PERMISSION_HOOK_WEBHOOK;
    }
    return "";
}

static bool rule_names(const struct yaml *rule, enum permission_name name)
{
    const struct yaml *names = yaml_get(rule, "resourceNames");
    if (name == PERMISSION_ANY || names == NULL) {
        return name == PERMISSION_ANY && names == NULL;
    }
    return yaml_lists(names, name_of(name)) &&
           yaml_count(names) == (name == PERMISSION_NAME_HOOKS ? 2u : 1u) &&
           (name != PERMISSION_NAME_HOOKS || yaml_lists(names, PERMISSION_HOOK_DELETION));
}

static bool rule_gives(const struct yaml *rule, const struct permission *permission)
{
    AUTOFREE char *resource =
        xprintf("%s%s%s", permission->resource, *permission->subresource ? "/" : "", permission->subresource);
    return yaml_lists(yaml_get(rule, "apiGroups"), permission->group) &&
           yaml_lists(yaml_get(rule, "resources"), resource) &&
           yaml_lists(yaml_get(rule, "verbs"), permission->verb) && rule_names(rule, permission->name);
}

static const struct yaml *rules_of(const struct permission *permission)
{
    const char *kind = permission->space == PERMISSION_CLUSTER ? "ClusterRole" : "Role";
    return yaml_get(objects_find(&all, kind, "vpsie-coordinator"), "rules");
}

static void the_roles_give_what_the_program_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < permission_count; i++) {
        bool given = false;
        for (const struct yaml *rule = rules_of(&permissions[i])->first; rule != NULL; rule = rule->next) {
            given = given || rule_gives(rule, &permissions[i]);
        }
        if (!given) {
            fail_msg("no role lets it %s %s/%s", permissions[i].verb, permissions[i].resource,
                     permissions[i].subresource);
        }
    }
}

static size_t needs_covered_by(const struct yaml *rule, const struct yaml *rules)
{
    size_t count = 0;
    for (size_t i = 0; i < permission_count; i++) {
        count += rules_of(&permissions[i]) == rules && rule_gives(rule, &permissions[i]);
    }
    return count;
}

// Each verb on each resource of each rule is a row of the table; so are none of "*".
static void and_nothing_more(void **state)
{
    (void)state;
    static const char *const kinds_of_role[] = {"ClusterRole", "Role"};
    for (size_t k = 0; k < 2; k++) {
        const struct yaml *rules =
            yaml_get(objects_find(&all, kinds_of_role[k], "vpsie-coordinator"), "rules");
        for (const struct yaml *rule = rules->first; rule != NULL; rule = rule->next) {
            size_t granted = yaml_count(yaml_get(rule, "apiGroups")) *
                             yaml_count(yaml_get(rule, "resources")) * yaml_count(yaml_get(rule, "verbs"));
            if (needs_covered_by(rule, rules) != granted) {
                fail_msg("the rule at line %zu of rbac.yaml gives more than is needed", rule->line);
            }
        }
    }
}

static bool is_needed(const char *group, const char *resource, const char *verb)
{
    for (size_t i = 0; i < permission_count; i++) {
        const struct permission *row = &permissions[i];
        if (strcmp(row->group, group) == 0 && strcmp(row->resource, resource) == 0 &&
            strcmp(row->verb, verb) == 0 && *row->subresource == '\0' && row->space == PERMISSION_CLUSTER) {
            return true;
        }
    }
    return false;
}

static void every_kind_that_is_watched_may_be_listed_and_watched(void **state)
{
    (void)state;
    for (int i = 0; i < OBJECT_KIND_COUNT; i++) {
        char group[64] = "";
        const char *resource = strrchr(kinds[i].path, '/') + 1;
        sscanf(kinds[i].path, "/apis/%63[^/]", group);
        assert_true(is_needed(group, resource, "list"));
        assert_true(is_needed(group, resource, "watch"));
    }
}

static void roles_are_bound_to_the_coordinators_account_only(void **state)
{
    (void)state;
    const char *account = yaml_text(pod_of(coordinator), "serviceAccountName");
    size_t bindings = 0;
    for (size_t i = 0; i < all.count; i++) {
        const struct yaml *subjects = yaml_get(all.items[i], "subjects");
        if (subjects != NULL) {
            bindings++;
            assert_int_equal(yaml_count(subjects), 1);
            assert_string_equal(yaml_text(subjects->first, "name"), account);
            assert_string_equal(yaml_text(subjects->first, "namespace"),
                                yaml_text(coordinator, "metadata.namespace"));
        }
    }
    assert_int_equal(bindings, 2);
}

// ------------------------------------------------------------------------------------------ the rest

static bool selects(const struct yaml *selector, const struct yaml *workload)
{
    const struct yaml *labels = yaml_at(workload, "spec.template.metadata.labels");
    for (const struct yaml *item = selector != NULL ? selector->first : NULL; item != NULL;
         item = item->next) {
        const struct yaml *label = yaml_get(labels, item->key);
        if (label == NULL || strcmp(label->text, item->text) != 0) {
            return false;
        }
    }
    return selector != NULL && selector->first != NULL;
}

static void services_budgets_and_policies_select_the_pods_they_are_for(void **state)
{
    (void)state;
    assert_true(selects(yaml_at(agent, "spec.selector.matchLabels"), agent));
    assert_true(selects(yaml_at(coordinator, "spec.selector.matchLabels"), coordinator));
    assert_true(
        selects(yaml_at(objects_find(&all, "Service", "vpsie-coordinator"), "spec.selector"), coordinator));
    assert_true(selects(yaml_at(objects_find(&all, "Service", "vpsie-coordinator-metrics"), "spec.selector"),
                        coordinator));
    assert_true(selects(
        yaml_at(objects_find(&all, "PodDisruptionBudget", "vpsie-coordinator"), "spec.selector.matchLabels"),
        coordinator));
    assert_true(selects(
        yaml_at(objects_find(&all, "NetworkPolicy", "vpsie-coordinator"), "spec.podSelector.matchLabels"),
        coordinator));
    assert_true(selects(
        yaml_at(objects_find(&all, "NetworkPolicy", "vpsie-agent"), "spec.podSelector.matchLabels"), agent));
    assert_false(selects(yaml_at(coordinator, "spec.selector.matchLabels"), agent));
}

static void one_coordinator_may_go_while_another_is_ready(void **state)
{
    (void)state;
    assert_string_equal(yaml_text(coordinator, "spec.replicas"), "2");
    assert_string_equal(
        yaml_text(objects_find(&all, "PodDisruptionBudget", "vpsie-coordinator"), "spec.minAvailable"), "1");
    assert_non_null(yaml_at(pod_of(coordinator), "affinity.podAntiAffinity"));
}

static void every_custom_kind_that_is_watched_is_defined(void **state)
{
    (void)state;
    size_t custom = 0;
    for (int i = 0; i < OBJECT_KIND_COUNT; i++) {
        if (!kinds[i].custom) {
            continue;
        }
        custom++;
        const char *plural = strrchr(kinds[i].path, '/') + 1;
        AUTOFREE char *name = xprintf("%s.autoscaler.vpsie.com", plural);
        const struct yaml *definition = objects_find(&all, "CustomResourceDefinition", name);
        assert_non_null(definition);
        assert_string_equal(yaml_text(definition, "spec.names.kind"), kinds[i].name);
        assert_string_equal(yaml_text(definition, "spec.names.plural"), plural);
        const struct yaml *version = yaml_at(definition, "spec.versions")->first;
        AUTOFREE char *path = xprintf("/apis/%s/%s/%s", yaml_text(definition, "spec.group"),
                                      yaml_text(version, "name"), plural);
        assert_string_equal(path, kinds[i].path);
        assert_non_null(yaml_at(version, "subresources.status"));
        bool cluster = strcmp(kinds[i].name, "AutoscalerConfig") == 0;
        assert_string_equal(yaml_text(definition, "spec.scope"), cluster ? "Cluster" : "Namespaced");
    }
    assert_int_equal(custom, 3);
}

// Each file of a folder is in its kustomization, and the other way round.
static void every_file_is_part_of_what_is_applied(void **state)
{
    (void)state;
    static const char *const folders[] = {"deploy/crds", "deploy/daemonset", "deploy/deployment"};
    for (size_t i = 0; i < 3; i++) {
        struct objects here = {0};
        objects_load(&here, folders[i]);
        const struct yaml *resources = NULL;
        for (size_t k = 0; k < here.count; k++) {
            if (strcmp(yaml_text(here.items[k], "kind"), "Kustomization") == 0) {
                resources = yaml_get(here.items[k], "resources");
            }
        }
        assert_non_null(resources);
        for (size_t k = 0; k < here.count; k++) {
            const char *file = strrchr(here.files[k], '/') + 1;
            assert_true(strcmp(file, "kustomization.yaml") == 0 || yaml_lists(resources, file));
        }
        objects_free(&here);
    }
}

static void the_manual_shows_as_many_permissions_as_check_asks_for(void **state)
{
    (void)state;
    AUTOTEXT struct text manual = {0};
    AUTOFREE char *words = xprintf("all %zu are granted\n", permission_count);
    assert_int_equal(text_read_file(VPSIE_SOURCE_DIR "/docs/install.md", 1 << 20, &manual, NULL), 0);
    assert_non_null(strstr(text_get(&manual), words));
}

// A line of the page that names the resource as kubectl does and has the verb among its verbs.
static bool page_grants(const char *page, const struct permission *row)
{
    AUTOFREE char *name = xprintf("`%s%s%s%s%s`", row->resource, *row->subresource != '\0' ? "/" : "",
                                  row->subresource, *row->group != '\0' ? "." : "", row->group);
    for (const char *at = page; (at = strstr(at, name)) != NULL; at++) {
        const char *verbs = strchr(at, '|'), *verbs_end = verbs != NULL ? strchr(verbs + 1, '|') : NULL;
        AUTOFREE char *cell = verbs_end != NULL ? xstrndup(verbs, (size_t)(verbs_end - verbs)) : xstrdup("");
        if (strstr(cell, row->verb) != NULL) {
            return true;
        }
    }
    return false;
}

static void the_page_of_permissions_has_each_of_them(void **state)
{
    (void)state;
    AUTOTEXT struct text page = {0};
    assert_int_equal(text_read_file(VPSIE_SOURCE_DIR "/docs/permissions.md", 1 << 20, &page, NULL), 0);
    for (size_t i = 0; i < permission_count; i++) {
        if (!page_grants(text_get(&page), &permissions[i])) {
            fail_msg("not in docs/permissions.md: %s %s/%s", permissions[i].verb, permissions[i].resource,
                     permissions[i].subresource);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flag_is_one_of_the_program),
        cmocka_unit_test(every_variable_is_read),
        cmocka_unit_test(programs_listen_where_ports_and_probes_say),
        cmocka_unit_test(agents_call_the_service_by_a_name_in_its_certificate),
        cmocka_unit_test(every_path_is_mounted_from_what_it_should_be),
        cmocka_unit_test(agents_trust_what_the_coordinator_publishes),
        cmocka_unit_test(agents_show_a_token_that_the_coordinator_accepts),
        cmocka_unit_test(everything_runs_with_as_little_privilege_as_it_can),
        cmocka_unit_test(the_agent_runs_everywhere_and_may_nothing_in_the_cluster),
        cmocka_unit_test(the_roles_give_what_the_program_needs),
        cmocka_unit_test(and_nothing_more),
        cmocka_unit_test(the_page_of_permissions_has_each_of_them),
        cmocka_unit_test(the_manual_shows_as_many_permissions_as_check_asks_for),
        cmocka_unit_test(every_kind_that_is_watched_may_be_listed_and_watched),
        cmocka_unit_test(roles_are_bound_to_the_coordinators_account_only),
        cmocka_unit_test(services_budgets_and_policies_select_the_pods_they_are_for),
        cmocka_unit_test(one_coordinator_may_go_while_another_is_ready),
        cmocka_unit_test(every_custom_kind_that_is_watched_is_defined),
        cmocka_unit_test(every_file_is_part_of_what_is_applied),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
