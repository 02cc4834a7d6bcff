#include "policies/contract.h"
#include "tests/unit/policies/fixture.h"

#define GOOD_OPERATION "'operationId':'o','x-portcullis':{'permission':'org.integration.read'}"
#define ID_PARAMETER   "{'name':'id','in':'path','required':true,'schema':{'type':'string'}}"

/* A document around the members of `paths`. */
static char *document_text(const char *paths)
{
    char *text = NULL;

    assert_true(asprintf(&text,
                         "{'openapi':'3.0.3','servers':[{'url':'https://api.example/base'}],'paths':{%s}}",
                         paths) > 0);
    return text;
}

/* Broken documents: what is wrong, and exactly where. */
static const struct {
    const char *paths, *problems;
} broken[] = {
    {"", "/paths an object was expected that has one path at least\n"},
    {"'a':{'get':{" GOOD_OPERATION "}}", "/paths/a a path must begin with \"/\"\n"},
    {"'/a/':{'get':{" GOOD_OPERATION "}}",
     "/paths/~1a~1 a segment must be a plain text or one \"{parameter}\", and must not be empty\n"},
    {"'/a%2f':{'get':{" GOOD_OPERATION "}}",
     "/paths/~1a%2f a segment must be a plain text or one \"{parameter}\", and must not be empty\n"},
    {"'/..':{'get':{" GOOD_OPERATION "}}",
     "/paths/~1.. a segment must be a plain text or one \"{parameter}\", and must not be empty\n"},
    {"'/x{id}':{'get':{" GOOD_OPERATION "}}",
     "/paths/~1x{id} a segment must be a plain text or one \"{parameter}\", and must not be empty\n"},
    {"'/{id}/{id}':{'parameters':[" ID_PARAMETER "],'get':{" GOOD_OPERATION "}}",
     "/paths/~1{id}~1{id} a parameter occurs twice in the path\n"},
    {"'/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16':{'get':{" GOOD_OPERATION "}}",
     "/paths/~11~12~13~14~15~16~17~18~19~110~111~112~113~114~115~116 a path has at most 16 segments\n"},
    {"'/a':[]", "/paths/~1a an object was expected\n"},
    {"'/a':{'gte':{}}", "/paths/~1a/gte unknown member \"gte\"; did you mean \"get\"?\n"},
    {"'/a':{'x-portcullis':{},'get':{" GOOD_OPERATION "}}",
     "/paths/~1a/x-portcullis \"x-portcullis\" has no effect here\n"},
    {"'/a':{'servers':[],'get':{" GOOD_OPERATION "}}", "/paths/~1a/servers unknown member \"servers\"\n"},
    {"'/a':{'get':7}", "/paths/~1a/get an object was expected\n"},
    {"'/a':{'get':{'x-portcullis':{'permission':'org.integration.read'}}}",
     "/paths/~1a/get \"operationId\" is missing: logs and the journal name operations by it\n"},
    {"'/a':{'get':{" GOOD_OPERATION "},'delete':{" GOOD_OPERATION "}}",
     "/paths/~1a/delete/operationId another operation has this \"operationId\"\n"},
    {"'/a':{'get':{" GOOD_OPERATION ",'requstBody':{}}}",
     "/paths/~1a/get/requstBody unknown member \"requstBody\"; did you mean \"requestBody\"?\n"},
    /* permission and effect */
    {"'/a':{'get':{'operationId':'o','description':'Shows (a) thing (e.g. b).'}}",
     "/paths/~1a/get no permission: neither \"x-portcullis\" nor the description "
     "(\"(org.integration.read)\") names one\n"},
    {"'/a':{'get':{'operationId':'o','description':'(org.integration.raed)'}}",
     "/paths/~1a/get/description unknown permission \"org.integration.raed\"; did you mean "
     "\"org.integration.read\"?\n"},
    {"'/a':{'get':{'operationId':'o','x-portcullis':{'permission':'org.everything'}}}",
     "/paths/~1a/get/x-portcullis/permission unknown permission \"org.everything\"\n"},
    {"'/a':{'get':{'operationId':'o','x-portcullis':{'permission':[]}}}",
     "/paths/~1a/get/x-portcullis/permission the name of a permission was expected\n"},
    {"'/a':{'get':{'operationId':'o','x-portcullis':{'permission':'org.integration.read','efect':'read'}}}",
     "/paths/~1a/get/x-portcullis/efect unknown member \"efect\"; did you mean \"effect\"?\n"},
    {"'/a':{'get':{'operationId':'o','x-portcullis':{'permission':'org.integration.read','effect':'none'}}}",
     "/paths/~1a/get/x-portcullis/effect the effect must be one of read, create, update, hard-delete\n"},
    {"'/"
     "a':{'delete':{'operationId':'o','x-portcullis':{'permission':'org.integration.read','effect':'read'}}}",
     "/paths/~1a/delete/x-portcullis/effect DELETE is not a safe method: its effect cannot be \"read\"\n"},
    /* parameters */
    {"'/{id}':{'get':{" GOOD_OPERATION "}}", "/paths/~1{id}/get the path parameter \"id\" is not declared\n"},
    {"'/{id}':{'get':{" GOOD_OPERATION
     ",'parameters':[{'name':'id','in':'path','schema':{'type':'string'}}]}}",
     "/paths/~1{id}/get/parameters/0 a path parameter must be required\n"},
    {"'/{id}':{'get':{" GOOD_OPERATION
     ",'parameters':[{'name':'id','in':'path','required':false,'schema':{'type':'string'}}]}}",
     "/paths/~1{id}/get/parameters/0/required a path parameter must be required\n"},
    {"'/{id}':{'get':{" GOOD_OPERATION ",'parameters':[{'name':'id','in':'path','required':true}]}}",
     "/paths/~1{id}/get/parameters/0 the parameter has no \"schema\"\n"},
    {"'/{id}':{'get':{" GOOD_OPERATION
     ",'parameters':[{'name':'id','in':'path','required':true,'schema':{'type':'string','pattern':'('}}]}}",
     "/paths/~1{id}/get/parameters/0/schema/pattern missing closing parenthesis at offset 1 of the "
     "pattern\n"},
    {"'/a':{'parameters':[" ID_PARAMETER "],'get':{" GOOD_OPERATION "}}",
     "/paths/~1a/parameters/0/name the path has no segment \"{id}\"\n"},
    {"'/a':{'get':{" GOOD_OPERATION
     ",'parameters':[{'name':'q','in':'query','schema':{'type':'array','items':{}}}]}}",
     "/paths/~1a/get/parameters/0/schema a parameter must have type string, integer, number or boolean\n"},
    {"'/a':{'get':{" GOOD_OPERATION ",'parameters':[{'name':'q','in':'query','schema':{}}]}}",
     "/paths/~1a/get/parameters/0/schema a parameter must have type string, integer, number or boolean\n"},
    {"'/a':{'get':{" GOOD_OPERATION ",'parameters':[{'name':'h','in':'header','schema':{'type':'string'}}]}}",
     "/paths/~1a/get/parameters/0/in only \"query\" and \"path\" parameters can be checked\n"},
    {"'/a':{'get':{" GOOD_OPERATION ",'parameters':[{'in':'query'}]}}",
     "/paths/~1a/get/parameters/0 a parameter needs a \"name\" and \"in\"\n"},
    {"'/a':{'get':{" GOOD_OPERATION
     ",'parameters':[{'name':'q','in':'query','requird':true,'schema':{'type':'string'}}]}}",
     "/paths/~1a/get/parameters/0/requird unknown member \"requird\"; did you mean \"required\"?\n"},
    {"'/a':{'get':{" GOOD_OPERATION
     ",'parameters':[{'name':'q','in':'query','content':{},'schema':{'type':'string'}}]}}",
     "/paths/~1a/get/parameters/0/content unknown member \"content\"\n"},
    {"'/a':{'get':{" GOOD_OPERATION ",'parameters':[{'name':'q','in':'query','schema':{'type':'string'}},"
     "{'name':'q','in':'query','schema':{'type':'string'}}]}}",
     "/paths/~1a/get/parameters/1/name the parameter \"q\" is declared twice\n"},
    {"'/a':{'get':{" GOOD_OPERATION ",'parameters':{}}}",
     "/paths/~1a/get/parameters an array of parameters was expected\n"},
    {"'/a':{'get':{" GOOD_OPERATION ",'parameters':[{'$ref':'#/components/parameters/No'}]}}",
     "/paths/~1a/get/parameters/0/$ref the reference leads nowhere\n"},
    /* bodies */
    {"'/a':{'get':{" GOOD_OPERATION ",'requestBody':{'content':{'application/json':{'schema':{}}}}}}",
     "/paths/~1a/get/requestBody content on GET is always refused\n"},
    {"'/a':{'post':{" GOOD_OPERATION ",'requestBody':{}}}",
     "/paths/~1a/post/requestBody \"content\" with one media type at least was expected\n"},
    {"'/a':{'post':{" GOOD_OPERATION ",'requestBody':{'content':{'text/xml':{'schema':{}}}}}}",
     "/paths/~1a/post/requestBody/content/text~1xml only application/vnd.api+json and application/json can "
     "be checked\n"},
    {"'/a':{'post':{" GOOD_OPERATION ",'requestBody':{'content':{'application/json':{}}}}}",
     "/paths/~1a/post/requestBody/content/application~1json the content has no \"schema\"\n"},
    {"'/a':{'post':{" GOOD_OPERATION
     ",'requestBody':{'content':{'application/json':{'schema':{'typ':'string'}}}}}}",
     "/paths/~1a/post/requestBody/content/application~1json/schema/typ keyword \"typ\" cannot be checked; "
     "did you mean "
     "\"type\"?\n"},
    {"'/a':{'post':{" GOOD_OPERATION ",'requestBody':{'content':{'application/json':{'schema':{}},"
     "'application/vnd.api+json':{'schema':{}}}}}}",
     "/paths/~1a/post/requestBody/content/application~1vnd.api+json both media types must have the same "
     "schema (a "
     "\"$ref\")\n"},
    {"'/a':{'post':{" GOOD_OPERATION
     ",'requestBody':{'required':1,'content':{'application/json':{'schema':{}}}}}}",
     "/paths/~1a/post/requestBody/required true or false was expected\n"},
    /* paths that one target could mean */
    {"'/{id}/a':{'parameters':[" ID_PARAMETER "],'get':{" GOOD_OPERATION "}},"
     "'/{id2}/a':{'post':{'operationId':'p','x-portcullis':{'permission':'org.integration.edit'},"
     "'parameters':[{'name':'id2','in':'path','required':true,'schema':{'type':'string'}}]}}",
     "/paths/~1{id2}~1a one target could mean this path and \"/{id}/a\"\n"},
    {"'/{id}/a':{'parameters':[" ID_PARAMETER "],'get':{" GOOD_OPERATION "}},"
     "'/b/{id}':{'parameters':[" ID_PARAMETER
     "],'post':{'operationId':'p','x-portcullis':{'permission':'org.integration.edit'}}}",
     "/paths/~1b~1{id} one target could mean this path and \"/{id}/a\"\n"},
    /* all at once */
    {"'/{id}':{'get':{'operationId':'o','x-portcullis':{'permission':'x','effect':'y'}}},'b':{}, "
     "'/c':{'put':{}}",
     "/paths/~1{id}/get the path parameter \"id\" is not declared\n"
     "/paths/~1{id}/get/x-portcullis/effect the effect must be one of read, create, update, hard-delete\n"
     "/paths/~1{id}/get/x-portcullis/permission unknown permission \"x\"\n"
     "/paths/b a path must begin with \"/\"\n"
     "/paths/~1c/put \"operationId\" is missing: logs and the journal name operations by it\n"
     "/paths/~1c/put no permission: neither \"x-portcullis\" nor the description "
     "(\"(org.integration.read)\") names one\n"},
};

static void expect_problems(unsigned *failed, const char *document_source, const char *wanted)
{
    struct document document = fixture_document(document_source);
    struct problems problems = {0};
    struct text text = {0};

    text_add(&text, "", 0);
    struct contract *contract = contract_compile(&document, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        text_add_format(&text, "%s %s\n", problems.items[i].pointer, problems.items[i].message);
        assert_true(problems.items[i].line > 0);
    }
    fixture_expect(failed, document_source, text.data, wanted);
    *failed += contract != NULL;
    contract_free(contract);
    text_free(&text);
    problems_free(&problems);
    document_free(&document);
}

static void broken_documents_are_refused(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char *text = document_text(broken[i].paths);
        expect_problems(&failed, text, broken[i].problems);
        free(text);
    }
    assert_int_equal(failed, 0);
}

static void broken_roots_are_refused(void **state)
{
    static const char paths[] = "'paths':{'/a':{'get':{" GOOD_OPERATION "}}}";
    static const struct {
        const char *before, *problems;
    } cases[] = {
        {"'openapi':'3.1.0',", "/openapi the document must say that it is OpenAPI 3.0: \"3.0.3\"\n"},
        {"", "/openapi the document must say that it is OpenAPI 3.0: \"3.0.3\"\n"},
        {"'openapi':'3.0.3','webhooks':{},", "/webhooks unknown member \"webhooks\"\n"},
        {"'openapi':'3.0.3','servers':{},",
         "/servers an array was expected whose first entry has a \"url\"\n"},
        {"'openapi':'3.0.3','servers':[{'url':'https://{region}.example/{base}'}],",
         "/servers/0/url a URL was expected whose path has letters, digits and \"-._~\" only, such as "
         "\"https://api.snyk.io/rest\"\n"},
        {"'openapi':'3.0.3','x-portcullis':{},", "/x-portcullis \"x-portcullis\" has no effect here\n"},
    };
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        assert_true(asprintf(&text, "{%s%s}", cases[i].before, paths) > 0);
        expect_problems(&failed, text, cases[i].problems);
        free(text);
    }
    assert_int_equal(failed, 0);
}

static struct contract *compile_text(struct span text)
{
    struct problems problems = {0};
    struct document document;
    struct contract *contract = NULL;
    struct text lines = {0};

    if (document_read(&document, "contract", text, &problems))
        contract = contract_compile(&document, &problems);
    problems_write(&problems, &lines);
    if (contract == NULL)
        fail_msg("%s", lines.data);
    assert_int_equal(problems.count, 0);
    text_free(&lines);
    problems_free(&problems);
    document_free(&document);
    return contract;
}

static struct contract *compile_paths(const char *paths)
{
    char *text = document_text(paths), *json = fixture_json(text);
    struct contract *contract = compile_text(span_of(json));

    free(json);
    free(text);
    return contract;
}

static void bases_are_paths_of_servers(void **state)
{
    static const struct {
        const char *servers, *base;
    } cases[] = {
        {"", ""},
        {"'servers':[{'url':'https://api.example/rest'},{'url':'https://other.example/x'}],", "/rest"},
        {"'servers':[{'url':'https://api.example/rest/'}],", "/rest"},
        {"'servers':[{'url':'https://api.example/a/b'}],", "/a/b"},
        {"'servers':[{'url':'https://api.example:8443'}],", ""},
        {"'servers':[{'url':'/rest'}],", "/rest"},
        {"'servers':[{'url':'/'}],", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        assert_true(asprintf(&text, "{'openapi':'3.0.0',%s'paths':{'/a':{'get':{" GOOD_OPERATION "}}}}",
                             cases[i].servers) > 0);
        char *json = fixture_json(text);
        struct contract *contract = compile_text(span_of(json));
        size_t count;
        assert_string_equal(contract_base(contract), cases[i].base);
        const char *path = contract_operations(contract, &count)->path;
        assert_string_equal(path + strlen(cases[i].base), "/a");
        contract_free(contract);
        free(json);
        free(text);
    }
}

/* Where x-portcullis is missing, description and method speak. */
static void a_published_document_is_understood(void **state)
{
    static const struct {
        const char *method, *description, *permission;
        enum effect effect;
    } cases[] = {
        {"get", "#### Required permissions\\n\\n- `View integrations (org.integration.read)`",
         "org.integration.read", EFFECT_READ},
        {"head", "(org.integration.read)", "org.integration.read", EFFECT_READ},
        {"post", "(org.integration.edit)", "org.integration.edit", EFFECT_CREATE},
        {"put", "x (y (org.integration.edit)", "org.integration.edit", EFFECT_UPDATE},
        {"patch", "(org.integration.edit) (org.integration.edit)", "org.integration.edit", EFFECT_UPDATE},
        {"delete", "(see below) `Edit (org.integration.edit)`", "org.integration.edit", EFFECT_HARD_DELETE},
        {"delete", "(org.integration.delete) and (org.project.read)", "org.integration.delete",
         EFFECT_HARD_DELETE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *paths = NULL;
        size_t count;
        assert_true(asprintf(&paths, "'/a':{'%s':{'operationId':'o','description':'%s'}}", cases[i].method,
                             cases[i].description) > 0);
        struct contract *contract = compile_paths(paths);
        const struct operation *operation = contract_operations(contract, &count);
        assert_int_equal(count, 1);
        assert_string_equal(operation->permission_name, cases[i].permission);
        assert_true((operation->permission & permission_named(span_of(cases[i].permission))) ==
                    permission_named(span_of(cases[i].permission)));
        assert_int_equal(operation->effect, cases[i].effect);
        contract_free(contract);
        free(paths);
    }
}

static void parameters_of_the_path_apply_below(void **state)
{
    struct contract *contract =
        compile_paths("'/{id}':{'parameters':[" ID_PARAMETER
                      ",{'name':'v','in':'query','required':true,'schema':{'type':'string'}}],"
                      "'get':{" GOOD_OPERATION "},"
                      "'delete':{'operationId':'p','x-portcullis':{'permission':'org.integration.delete'},"
                      "'parameters':[{'name':'v','in':'query','schema':{'type':'integer'}},"
                      "{'name':'w','in':'query','schema':{'type':'string'}},"
                      "{'name':'Accept','in':'header','schema':{'type':'string'}}]}}");
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    (void)state;
    assert_int_equal(count, 2);
    assert_int_equal(operations[0].query_count, 1);
    assert_string_equal(operations[0].query[0].name, "v");
    assert_true(operations[0].query[0].required);
    assert_non_null(operations[0].segments[1].parameter.schema);
    assert_int_equal(operations[1].query_count, 2);
    assert_false(operations[1].query[0].required); /* its own goes before the path's */
    assert_ptr_not_equal(operations[0].query[0].schema, operations[1].query[0].schema);
    assert_string_equal(operations[1].query[1].name, "w");
    assert_ptr_equal(operations[0].segments[1].parameter.schema, operations[1].segments[1].parameter.schema);
    contract_free(contract);
}

static size_t split(const char *path, struct span *segments)
{
    size_t count = 0;

    while (*path == '/') {
        segments[count] = (struct span){path + 1, strcspn(path + 1, "/")};
        path = segments[count].data + segments[count].length;
        count++;
    }
    return count;
}

/* "operationId", "405 Allow" or "404" */
static const char *routed(const struct contract *contract, const char *method, const char *path)
{
    static char text[100];
    struct span segments[40];
    struct route_match match;

    switch (contract_route(contract, span_of(method), segments, split(path, segments), &match)) {
    case ROUTE_FOUND:
        return match.operation->id;
    case ROUTE_NO_METHOD:
        (void)snprintf(text, sizeof text, "405 %s", match.allow);
        return text;
    case ROUTE_NO_PATH:
        break;
    }
    assert_null(match.operation);
    return "404";
}

static void literal_segments_win(void **state)
{
    static const struct {
        const char *method, *path, *route;
    } cases[] = {
        {"GET", "/base/things/7", "one"},
        {"DELETE", "/base/things/7", "gone"},
        {"GET", "/base/things/mine", "mine"},
        {"DELETE", "/base/things/mine", "405 GET"},
        {"PATCH", "/base/things/7", "405 GET, DELETE"},
        {"GET", "/base/things/mine/parts", "parts"}, /* the literal leads nowhere: the parameter does */
        {"GET", "/base/things/7/parts", "parts"},
        {"GET", "/base/things/", "404"},
        {"GET", "/base/things//parts", "404"},
        {"GET", "/base/things", "404"},
        {"GET", "/base", "404"},
        {"GET", "", "404"},
        {"GET", "/things/7", "404"},
        {"GET", "/base/Things/7", "404"},
        {"GET", "/base/things/7/parts/8", "404"},
        {"get", "/base/things/7", "405 GET, DELETE"},
        {"HEAD", "/base/things/7", "405 GET, DELETE"},
        {"", "/base/things/7", "405 GET, DELETE"},
        {"GET", "/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1", "404"},
    };
    struct contract *contract = compile_paths(
        "'/things/{id}':{'parameters':[" ID_PARAMETER "],"
        "'delete':{'operationId':'gone','x-portcullis':{'permission':'org.integration.delete'}},"
        "'get':{'operationId':'one','x-portcullis':{'permission':'org.integration.read'}}},"
        "'/things/mine':{'get':{'operationId':'mine','x-portcullis':{'permission':'org.integration.read'}}},"
        "'/things/{id}/parts':{'parameters':[" ID_PARAMETER "],"
        "'get':{'operationId':'parts','x-portcullis':{'permission':'org.integration.read'}}}");
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fixture_expect(&failed, cases[i].path, routed(contract, cases[i].method, cases[i].path),
                       cases[i].route);
    contract_free(contract);
    assert_int_equal(failed, 0);
}

/* Literals are compared by their ends first: those of every length, which differ in one byte. */
static void literals_of_every_length_are_told_apart(void **state)
{
    static const char *const all[] = {
        "a",
        "b",
        "ab",
        "ac",
        "bb",
        "abc",
        "adc",
        "abcd",
        "abed",
        "abcde",
        "abxde",
        "abcdefg",
        "abcxefg",
        "abcdefgh",
        "abcdefgx",
        "abcdefghi",
        "abcdefgxi",
        "abcdefghij",
        "abcdefghxj",
        "abcdefghijklmnop",
        "abcdefghijklmnopq",
        "abcdefghXjklmnopq",
        "abcdefghiXklmnopq",
    };
    struct text paths = {0};
    unsigned failed = 0;
    char path[64], expected[64];

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        text_add_format(
            &paths,
            "%s'/%s':{'get':{'operationId':'%s','x-portcullis':{'permission':'org.integration.read'}}}",
            i > 0 ? "," : "", all[i], all[i]);
    struct contract *contract = compile_paths(paths.data);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        (void)snprintf(path, sizeof path, "/base/%s", all[i]);
        (void)snprintf(expected, sizeof expected, "%s", all[i]);
        fixture_expect(&failed, path, routed(contract, "GET", path), expected);
        path[sizeof "/base/" - 1 + strlen(all[i]) / 2] = 'Z';
        fixture_expect(&failed, path, routed(contract, "GET", path), "404");
    }
    contract_free(contract);
    text_free(&paths);
    assert_int_equal(failed, 0);
}

/* As many as a set of them has bits. */
static void an_operation_has_at_most_64_query_parameters(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (unsigned count = 64; count <= 65; count++) {
        struct text paths = {0};
        text_add_string(&paths, "'/a':{'get':{" GOOD_OPERATION ",'parameters':[");
        for (unsigned i = 0; i < count; i++)
            text_add_format(&paths,
                            "%s{'name':'q%u','in':'query','required':true,'schema':{'type':'string'}}",
                            i > 0 ? "," : "", i);
        text_add_string(&paths, "]}}");
        char *document = document_text(paths.data);
        if (count == 64)
            contract_free(compile_paths(paths.data));
        else
            expect_problems(&failed, document,
                            "/paths/~1a/get an operation has at most 64 query parameters\n");
        free(document);
        text_free(&paths);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_documents_are_refused),
        cmocka_unit_test(broken_roots_are_refused),
        cmocka_unit_test(bases_are_paths_of_servers),
        cmocka_unit_test(a_published_document_is_understood),
        cmocka_unit_test(parameters_of_the_path_apply_below),
        cmocka_unit_test(literal_segments_win),
        cmocka_unit_test(literals_of_every_length_are_told_apart),
        cmocka_unit_test(an_operation_has_at_most_64_query_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
