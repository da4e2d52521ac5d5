// Holds manifests and custom resources against the API server's own code: strict decoding of every object, the checks a
// CustomResourceDefinition goes through, and for custom resources pruning, defaults, schema and CEL rules.
//
//	schemas RENDERED... -- CRD... -- GOOD... -- WRONG...
//
// Each argument is a file of YAML documents. An object of WRONG must be refused, with the text of its annotation "expect".
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsinstall "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsyaml "sigs.k8s.io/yaml"
)

var (
	scheme  = runtime.NewScheme()
	strict  = serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, serializer.SerializerOptions{Yaml: true, Strict: true})
	failed  int
	checked int
	kinds   = map[string]*custom{}
)

// A served custom resource.
type custom struct {
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

func init() {
	for _, add := range []func(*runtime.Scheme) error{admissionregistrationv1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme,
		networkingv1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	apiextensionsinstall.Install(scheme)
}

func complain(file string, format string, arguments ...any) {
	failed++
	fmt.Printf("FAIL %s: %s\n", file, fmt.Sprintf(format, arguments...))
}

func documents(file string) [][]byte {
	content, err := os.ReadFile(file)
	if err != nil {
		complain(file, "%v", err)
		return nil
	}
	var out [][]byte
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := reader.Read()
		if err == io.EOF {
			return out
		}
		if err != nil {
			complain(file, "%v", err)
			return out
		}
		if len(bytes.TrimSpace(document)) > 0 {
			out = append(out, document)
		}
	}
}

func checkRendered(file string) {
	for _, document := range documents(file) {
		checked++
		if _, kind, err := strict.Decode(document, nil, nil); err != nil {
			complain(file, "%v: %v", kind, err)
		}
	}
}

func learnDefinition(file string) {
	for _, document := range documents(file) {
		object, _, err := strict.Decode(document, nil, nil)
		v1, ok := object.(*apiextensionsv1.CustomResourceDefinition)
		if err != nil || !ok {
			complain(file, "is not a definition: %v", err)
			continue
		}
		checked++
		scheme.Default(v1)
		v1.Status.StoredVersions = []string{v1.Spec.Versions[0].Name} // as the API server sets it on create
		internal := &apiextensions.CustomResourceDefinition{}
		if err := scheme.Convert(v1, internal, nil); err != nil {
			complain(file, "%v", err)
			continue
		}
		for _, problem := range crdvalidation.ValidateCustomResourceDefinition(context.Background(), internal) {
			complain(file, "%v", problem)
		}
		properties := internal.Spec.Validation
		if properties == nil {
			properties = internal.Spec.Versions[0].Schema
		}
		structural, err := structuralschema.NewStructural(properties.OpenAPIV3Schema)
		if err != nil {
			complain(file, "%v", err)
			continue
		}
		validator, _, err := validation.NewSchemaValidator(properties.OpenAPIV3Schema)
		if err != nil {
			complain(file, "%v", err)
			continue
		}
		kinds[v1.Spec.Names.Kind] = &custom{structural, validator,
			cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
}

// What the API server would say to a create.
func problemsOf(document []byte) (name string, expect string, problems []string) {
	var object map[string]any
	if err := sigsyaml.UnmarshalStrict(document, &object); err != nil {
		return "", "", []string{err.Error()}
	}
	name, _ = object["kind"].(string)
	if metadata, ok := object["metadata"].(map[string]any); ok {
		name = fmt.Sprintf("%v %v", name, metadata["name"])
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			expect, _ = annotations["expect"].(string)
		}
	}
	definition := kinds[fmt.Sprint(object["kind"])]
	if definition == nil {
		return name, expect, []string{"no such kind"}
	}
	whole(object)
	given := runtime.DeepCopyJSON(object)
	defaulting.Default(object, definition.structural)
	pruned := runtime.DeepCopyJSON(object)
	unknown := pruning.PruneWithOptions(pruned, definition.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		problems = append(problems, "unknown field "+path)
	}
	if !reflect.DeepEqual(given["metadata"], object["metadata"]) {
		problems = append(problems, "defaults changed the metadata")
	}
	for _, problem := range validation.ValidateCustomResource(nil, object, definition.validator) {
		problems = append(problems, problem.Error())
	}
	found, _ := definition.rules.Validate(context.Background(), field.NewPath(""), definition.structural, object, nil, celconfig.RuntimeCELCostBudget)
	for _, problem := range found {
		problems = append(problems, problem.Error())
	}
	return name, expect, problems
}

// JSON knows one kind of number, the API server two.
func whole(value any) any {
	switch typed := value.(type) {
	case map[string]any:
		for key := range typed {
			typed[key] = whole(typed[key])
		}
	case []any:
		for i := range typed {
			typed[i] = whole(typed[i])
		}
	case float64:
		if typed == math.Trunc(typed) {
			return int64(typed)
		}
	}
	return value
}

func checkGood(file string) {
	for _, document := range documents(file) {
		checked++
		if name, _, problems := problemsOf(document); len(problems) > 0 {
			complain(file, "%s is refused: %s", name, strings.Join(problems, "; "))
		}
	}
}

func checkWrong(file string) {
	for _, document := range documents(file) {
		checked++
		name, expect, problems := problemsOf(document)
		all := strings.Join(problems, "; ")
		if expect == "" {
			complain(file, "%s does not say what is to be expected", name)
		} else if !strings.Contains(all, expect) {
			complain(file, "%s: expected %q, got %q", name, expect, all)
		}
	}
}

func main() {
	stages := []func(string){checkRendered, learnDefinition, checkGood, checkWrong}
	stage := 0
	for _, argument := range os.Args[1:] {
		if argument == "--" && stage < len(stages)-1 {
			stage++
			continue
		}
		stages[stage](argument)
	}
	fmt.Printf("%d objects checked, %d problems\n", checked, failed)
	if failed > 0 || checked == 0 {
		os.Exit(1)
	}
}
