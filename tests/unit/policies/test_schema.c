#include "policies/schema.h"
#include "tests/unit/policies/fixture.h"

/* A schema, a value, and what is found ("" for nothing). */
struct validation {
    const char *schema, *value, *findings;
};

static const struct validation validations[] = {
    /* type and nullable */
    {"{'type':'object'}", "{}", ""},
    {"{'type':'object'}", "[]", ": The value must be an object.\n"},
    {"{'type':'array','items':{}}", "[]", ""},
    {"{'type':'array','items':{}}", "{}", ": The value must be an array.\n"},
    {"{'type':'string'}", "'x'", ""},
    {"{'type':'string'}", "1", ": The value must be a string.\n"},
    {"{'type':'string'}", "null", ": The value must be a string.\n"},
    {"{'type':'string','nullable':true}", "null", ""},
    {"{'type':'string','nullable':false}", "null", ": The value must be a string.\n"},
    {"{'type':'integer'}", "-3", ""},
    {"{'type':'integer'}", "3.0", ": The value must be an integer.\n"},
    {"{'type':'integer'}", "'3'", ": The value must be an integer.\n"},
    {"{'type':'number'}", "3", ""},
    {"{'type':'number'}", "3.5", ""},
    {"{'type':'number'}", "true", ": The value must be a number.\n"},
    {"{'type':'boolean'}", "false", ""},
    {"{'type':'boolean'}", "'true'", ": The value must be true or false.\n"},
    {"{}", "[{'a':null}]", ""},
    /* objects */
    {"{'type':'object','required':['a','b']}", "{'a':1,'b':null}", ""},
    {"{'type':'object','required':['a','b']}", "{}",
     ": The member \"a\" is missing.\n: The member \"b\" is missing.\n"},
    {"{'properties':{'a':{'type':'string'}}}", "{'a':'x','b':1}", ""},
    {"{'properties':{'a':{'type':'string'}}}", "{'a':1}", "/a: The value must be a string.\n"},
    {"{'properties':{'a':{'type':'string'}}}", "'no object: it says nothing'", ""},
    {"{'additionalProperties':false,'properties':{'name':{}}}", "{'name':1}", ""},
    {"{'additionalProperties':false,'properties':{'name':{}}}", "{'nmae':1}",
     "/nmae: The member \"nmae\" is not allowed here; did you mean \"name\"?\n"},
    {"{'additionalProperties':false,'properties':{'name':{}}}", "{'':1,'a/b~':1}",
     "/: The member \"\" is not allowed here.\n/a~1b~0: The member \"a/b~\" is not allowed here.\n"},
    {"{'additionalProperties':true}", "{'x':1}", ""},
    {"{'additionalProperties':{'type':'integer'}}", "{'x':1}", ""},
    {"{'additionalProperties':{'type':'integer'}}", "{'x':1,'y':'2'}", "/y: The value must be an integer.\n"},
    /* enum */
    {"{'enum':['a']}", "'a'", ""},
    {"{'enum':['a']}", "'b'", ": The value must be \"a\".\n"},
    {"{'type':'string','enum':['a','b','c']}", "'A'", ": The value must be one of \"a\", \"b\" or \"c\".\n"},
    {"{'enum':[1,null,'x']}", "null", ""},
    {"{'enum':[1,null,'x']}", "2", ": The value must be one of those that the contract lists.\n"},
    {"{'enum':[{'a':[1]}]}", "{'a':[1]}", ""},
    /* strings */
    {"{'type':'string','minLength':1}", "'x'", ""},
    {"{'type':'string','minLength':1,'pattern':'x'}", "''", ": The value must not be empty.\n"},
    {"{'type':'string','minLength':3}", "'\xc3\xa9\xc3\xa9'",
     ": The value must have at least 3 characters.\n"},
    {"{'type':'string','maxLength':2}", "'\xc3\xa9\xf0\x9f\x98\x80'", ""},
    {"{'type':'string','maxLength':2}", "'abc'", ": The value must have at most 2 characters.\n"},
    {"{'type':'string','pattern':'^[a-z]+$'}", "'abc'", ""},
    {"{'type':'string','pattern':'^[a-z]+$'}", "'abc\\n'", ": The value must match the pattern ^[a-z]+$\n"},
    {"{'type':'string','pattern':'b'}", "'abc'", ""},
    {"{'type':'string','pattern':'^(a+)+$'}", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'",
     ": The value takes too long to compare with the pattern ^(a+)+$\n"},
    /* formats */
    {"{'format':'uuid'}", "'0c4f0f1e-0000-4000-8000-0123456789aB'", ""},
    {"{'format':'uuid'}", "'0c4f0f1e-0000-4000-8000-0123456789ag'", ": The value must be a UUID.\n"},
    {"{'format':'uuid'}", "'0c4f0f1e00004000800001234567890a'", ": The value must be a UUID.\n"},
    {"{'format':'hostname'}", "'a'", ""},
    {"{'format':'hostname'}", "'x-1.EXAMPLE.com'", ""},
    {"{'format':'hostname'}", "'https://x.example'",
     ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "'x.example:443'",
     ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "'-x.example'",
     ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "'x-.example'",
     ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "'x..example'",
     ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "'x.example.'",
     ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "'.x'", ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "''", ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'hostname'}", "'b\xc3\xbc.example'",
     ": The value must be a host name, without scheme, port and path.\n"},
    {"{'format':'date'}", "'2024-02-29'", ""},
    {"{'format':'date'}", "'2023-02-29'", ": The value must be a date that exists, as YYYY-MM-DD.\n"},
    {"{'format':'date'}", "'2023-2-9'", ": The value must be a date that exists, as YYYY-MM-DD.\n"},
    {"{'format':'date-time'}", "'2024-02-29T23:59:60.123Z'", ""},
    {"{'format':'date-time'}", "'2024-02-29t00:00:00+05:30'", ""},
    {"{'format':'date-time'}", "'2024-02-29T24:00:00Z'",
     ": The value must be a time as YYYY-MM-DDThh:mm:ssZ (RFC 3339).\n"},
    {"{'format':'date-time'}", "'2024-02-29T00:00:00'",
     ": The value must be a time as YYYY-MM-DDThh:mm:ssZ (RFC 3339).\n"},
    {"{'format':'date-time'}", "'2024-02-29T00:00:00.Z'",
     ": The value must be a time as YYYY-MM-DDThh:mm:ssZ (RFC 3339).\n"},
    {"{'format':'date-time'}", "'2024-02-30T00:00:00Z'",
     ": The value must be a time as YYYY-MM-DDThh:mm:ssZ (RFC 3339).\n"},
    {"{'format':'date-time'}", "'2024-02-29 00:00:00Z'",
     ": The value must be a time as YYYY-MM-DDThh:mm:ssZ (RFC 3339).\n"},
    {"{'type':'string','format':'password'}", "'anything \\u0001'", ""},
    {"{'type':'integer','format':'int32'}", "2147483647", ""},
    {"{'type':'integer','format':'int32'}", "2147483648", ": The value must fit into 32 bits.\n"},
    {"{'type':'integer','format':'int64'}", "2147483648", ""},
    /* arrays */
    {"{'items':{'type':'integer'}}", "[1,2]", ""},
    {"{'items':{'type':'integer'}}", "[1,'2',{}]",
     "/1: The value must be an integer.\n/2: The value must be an integer.\n"},
    {"{'type':'array','items':{},'minItems':1}", "[]", ": The number of elements must be at least 1.\n"},
    {"{'type':'array','items':{},'minItems':1}", "[0]", ""},
    {"{'type':'array','items':{},'maxItems':1}", "[0,0]", ": The number of elements must be at most 1.\n"},
    {"{'type':'array','items':{},'maxItems':1}", "[0]", ""},
    /* numbers */
    {"{'minimum':10}", "10", ""},
    {"{'minimum':10}", "9", ": The value must be at least 10.\n"},
    {"{'minimum':0.5}", "0.4", ": The value must be at least 0.5.\n"},
    {"{'maximum':10}", "10", ""},
    {"{'maximum':10}", "10.1", ": The value must be at most 10.\n"},
    {"{'maximum':9223372036854775806}", "9223372036854775807",
     ": The value must be at most 9223372036854775806.\n"},
    {"{'multipleOf':10}", "-20", ""},
    {"{'multipleOf':10}", "15", ": The value must be a multiple of 10.\n"},
    {"{'multipleOf':0.1}", "0.3", ""},
    {"{'multipleOf':0.1}", "0.35", ": The value must be a multiple of 0.1.\n"},
    {"{'multipleOf':0.1}", "1e300", ": The value must be a multiple of 0.1.\n"},
    /* allOf, anyOf, oneOf */
    {"{'allOf':[{'required':['a']},{'properties':{'b':{'type':'string'}}}]}", "{'a':1,'b':'x'}", ""},
    {"{'allOf':[{'required':['a']},{'properties':{'b':{'type':'string'}}}]}", "{'b':1}",
     ": The member \"a\" is missing.\n/b: The value must be a string.\n"},
    {"{'anyOf':[{'type':'string'},{'type':'integer'}]}", "1", ""},
    {"{'anyOf':[{'type':'string'},{'type':'integer'}]}", "true",
     ": The value must be a string or an integer.\n"},
    {"{'anyOf':[{'type':'string','maxLength':1},{'type':'integer','maximum':5}]}", "7",
     ": The value must be at most 5.\n"},
    {"{'oneOf':[{'type':'integer','minimum':5},{'type':'integer','multipleOf':2}]}", "7", ""},
    {"{'oneOf':[{'type':'integer','minimum':5},{'type':'integer','multipleOf':2}]}", "8",
     ": The value fits more than one alternative, and must fit exactly one.\n"},
    {"{'anyOf':[{'type':'integer','minimum':5},{'type':'integer','multipleOf':2}]}", "8", ""},
    {"{'oneOf':[{'type':'integer','minimum':5},{'type':'integer','multipleOf':2}]}", "3",
     ": The value must be at least 5.\n"},
    /* members that go together, and members that do not */
    {"{'anyOf':[{'$ref':'#/A'},{'$ref':'#/B'}]}", "{'a':'x'}", ""},
    {"{'anyOf':[{'$ref':'#/A'},{'$ref':'#/B'}]}", "{}", ""},
    {"{'anyOf':[{'$ref':'#/A'},{'$ref':'#/B'}]}", "{'a':1,'aa':'x'}", "/a: The value must be a string.\n"},
    {"{'anyOf':[{'$ref':'#/A'},{'$ref':'#/B'}]}", "{'a':'x','b':'x'}",
     ": The members given belong to no single alternative. The alternatives: a, aa; or b.\n"},
    {"{'anyOf':[{'$ref':'#/A'},{'$ref':'#/B'}]}", "{'b':'x','c':'x'}",
     "/c: The member \"c\" is not allowed here.\n"},
    {"{'anyOf':[{'$ref':'#/A'},{'$ref':'#/B'}]}", "{'a':'x','b':'x','other':'x'}",
     ": The members given belong to no single alternative. The alternatives: a, aa; or b.\n"
     "/other: The member \"other\" is not allowed here.\n"},
    /* discriminator */
    {"{'$ref':'#/D'}", "{'kind':'a','a':'x'}", ""},
    {"{'$ref':'#/D'}", "{'kind':'b','b':'x'}", ""},
    {"{'$ref':'#/D'}", "{'kind':'a','b':'x'}",
     "/b: The member \"b\" is not allowed here.\n: The member \"a\" is missing.\n"},
    {"{'$ref':'#/D'}", "{'kind':'DB','b':'x'}", "/kind: The value must be one of \"a\" or \"b\".\n"},
    {"{'$ref':'#/D'}", "{'kind':1,'b':'x'}", "/kind: The value must be one of \"a\" or \"b\".\n"},
    {"{'$ref':'#/D'}", "{'b':'x'}", ": The member \"kind\" is missing; it must be one of \"a\" or \"b\".\n"},
    {"{'$ref':'#/D'}", "'x'", ": The value must be an object.\n"},
    /* without a row in the mapping, the schema's own name chooses */
    {"{'$ref':'#/N'}", "{'kind':'One'}", ""},
    {"{'$ref':'#/N'}", "{'kind':'two'}", "/kind: The value must be one of \"One\".\n"},
    /* recursion */
    {"{'$ref':'#/Tree'}", "{'left':{'left':{},'right':{}}}", ""},
    {"{'$ref':'#/Tree'}", "{'left':{'left':{},'right':{'up':1}}}",
     "/left/right/up: The member \"up\" is not allowed here.\n"},
    /* everything at once, in the order of the value */
    {"{'type':'object','additionalProperties':false,'required':['z'],"
     "'properties':{'a':{'type':'string','maxLength':1,'pattern':'^b'},'z':{}}}",
     "{'zz':0,'a':'aa'}",
     "/zz: The member \"zz\" is not allowed here; did you mean \"z\"?\n"
     "/a: The value must have at most 1 characters.\n"
     "/a: The value must match the pattern ^b\n"
     ": The member \"z\" is missing.\n"},
    /* what people read only */
    {"{'title':'t','description':'d','default':1,'example':2,'deprecated':true,'readOnly':true,'writeOnly':"
     "false,"
     "'externalDocs':{},'xml':{},'x-anything':[]}",
     "7", ""},
};

static const char definitions[] =
    ",'A':{'type':'object','additionalProperties':false,'properties':{'a':{'type':'string'},'aa':{'type':'"
    "string'}}}"
    ",'B':{'type':'object','additionalProperties':false,'properties':{'b':{'type':'string'}}}"
    ",'DA':{'type':'object','additionalProperties':false,'required':['a'],'properties':{'kind':{},'a':{}}}"
    ",'DB':{'type':'object','additionalProperties':false,'required':['b'],'properties':{'kind':{},'b':{}}}"
    ",'D':{'oneOf':[{'$ref':'#/DA'},{'$ref':'#/DB'}],"
    "'discriminator':{'propertyName':'kind','mapping':{'a':'#/DA','b':'#/DB'}}}"
    ",'N':{'anyOf':[{'$ref':'#/components/schemas/One'}],'discriminator':{'propertyName':'kind'}}"
    ",'components':{'schemas':{'One':{'type':'object'}}}"
    ",'Tree':{'type':'object','additionalProperties':false,"
    "'properties':{'left':{'$ref':'#/Tree'},'right':{'$ref':'#/Tree'}}}}";

static struct document document_of(const char *schema)
{
    struct text text = {0};

    text_add_format(&text, "{'S':%s%s", schema, definitions);
    struct document document = fixture_document(text.data);
    text_free(&text);
    return document;
}

/* Compiles what must be right; the document goes before the schema is used. */
static struct schema_set *compile(const char *schema, const struct schema **compiled)
{
    struct document document = document_of(schema);
    struct problems problems = {0};
    struct schema_set *set = schema_set_new(&document);

    assert_non_null(set);
    *compiled = schema_compile(set, "/S", &problems);
    if (*compiled == NULL)
        fail_msg("%s: %s (%s)", schema, problems.items[0].message, problems.items[0].pointer);
    assert_int_equal(problems.count, 0);
    document_free(&document);
    return set;
}

static void values_are_checked(void **state)
{
    struct pattern_scratch *scratch = pattern_scratch_new();
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof validations / sizeof *validations; i++) {
        const struct validation *each = &validations[i];
        const struct schema *schema;
        struct schema_set *set = compile(each->schema, &schema);
        json_t *value = fixture_value(each->value);
        struct findings findings = {0};
        struct arena arena;
        char what[400];

        arena_init(&arena);
        bool right = schema_validate(schema, value, scratch, &arena, &findings);
        struct text text = fixture_findings(&findings);
        (void)snprintf(what, sizeof what, "%s of %s", each->value, each->schema);
        fixture_expect(&failed, what, text.data, each->findings);
        assert_true(right == (each->findings[0] == '\0'));
        text_free(&text);
        json_decref(value);
        arena_reset(&arena);
        schema_set_free(set);
    }
    pattern_scratch_free(scratch);
    assert_int_equal(failed, 0);
}

static void findings_are_bounded(void **state)
{
    const struct schema *schema;
    struct schema_set *set = compile("{'additionalProperties':false,'items':{'type':'string'}}", &schema);
    struct pattern_scratch *scratch = pattern_scratch_new();
    struct findings findings = {0};
    json_t *object = json_object(), *array = json_array();
    struct arena arena;
    char name[5001];

    (void)state;
    memset(name, 'n', sizeof name);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(name + 4990, 10, "%u", i);
        assert_int_equal(json_object_set_new(object, name, json_null()), 0);
        assert_int_equal(json_array_append_new(array, json_null()), 0);
    }
    arena_init(&arena);
    assert_false(schema_validate(schema, object, scratch, &arena, &findings));
    assert_int_equal(findings.count, 100);
    for (struct finding *finding = findings.first; finding != NULL; finding = finding->next) {
        assert_true(strlen(finding->pointer) < 100);
        assert_true(strlen(finding->detail) < 200);
    }
    findings = (struct findings){0};
    assert_false(schema_validate(schema, array, scratch, &arena, &findings));
    assert_int_equal(findings.count, 100);
    arena_reset(&arena);
    json_decref(object);
    json_decref(array);
    pattern_scratch_free(scratch);
    schema_set_free(set);
}

/* Alternatives within alternatives could take for ever. */
static void work_is_bounded(void **state)
{
    const struct schema *schema;
    struct schema_set *set = compile("{'anyOf':[{'properties':{'a':{'$ref':'#/S'}},'required':['x']},"
                                     "{'properties':{'a':{'$ref':'#/S'}},'required':['y']}]}",
                                     &schema);
    struct pattern_scratch *scratch = pattern_scratch_new();
    struct findings findings = {0};
    struct arena arena;
    json_t *value = json_object();

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        value = json_pack("{s:o}", "a", value);
    arena_init(&arena);
    assert_false(schema_validate(schema, value, scratch, &arena, &findings));
    arena_reset(&arena);
    json_decref(value);
    pattern_scratch_free(scratch);
    schema_set_free(set);
}

static void parameters_are_checked(void **state)
{
    static const struct {
        const char *schema, *text, *detail; /* NULL: right */
    } cases[] = {
        {"{'type':'string'}", "", NULL},
        {"{'type':'string','minLength':1}", "", "The value must not be empty."},
        {"{'type':'string'}", "\xff", "The value must be UTF-8."},
        {"{'type':'string','enum':['a','b']}", "a", NULL},
        {"{'type':'string','enum':['a','b']}", "c", "The value must be one of \"a\" or \"b\"."},
        {"{'type':'string','pattern':'^v1\\\\.[A-Za-z0-9+/_-]+={0,2}$'}", "v1.eyJ9==", NULL},
        {"{'type':'string','pattern':'^v1\\\\.[A-Za-z0-9+/_-]+={0,2}$'}", "v1.eyJ9==\n",
         "The value must match the pattern ^v1\\.[A-Za-z0-9+/_-]+={0,2}$"},
        {"{'type':'string','format':'uuid'}", "7", "The value must be a UUID."},
        {"{'type':'integer','minimum':10,'maximum':100,'multipleOf':10}", "10", NULL},
        {"{'type':'integer','minimum':10,'maximum':100,'multipleOf':10}", "100", NULL},
        {"{'type':'integer','minimum':10,'maximum':100,'multipleOf':10}", "15",
         "The value must be a multiple of 10."},
        {"{'type':'integer','minimum':10,'maximum':100,'multipleOf':10}", "110",
         "The value must be at most 100."},
        {"{'type':'integer'}", "010", "The value must be an integer."},
        {"{'type':'integer'}", "+10", "The value must be an integer."},
        {"{'type':'integer'}", " 10", "The value must be an integer."},
        {"{'type':'integer'}", "10\n", "The value must be an integer."},
        {"{'type':'integer'}", "1e1", "The value must be an integer."},
        {"{'type':'integer'}", "10.0", "The value must be an integer."},
        {"{'type':'integer'}", "0x10", "The value must be an integer."},
        {"{'type':'integer'}", "", "The value must be an integer."},
        {"{'type':'integer'}", "true", "The value must be an integer."},
        {"{'type':'integer'}", "\"10\"", "The value must be an integer."},
        {"{'type':'integer'}", "99999999999999999999", "The value must be an integer."},
        {"{'type':'number'}", "1.5", NULL},
        {"{'type':'number'}", "[1]", "The value must be a number."},
        {"{'type':'boolean'}", "true", NULL},
        {"{'type':'boolean'}", "TRUE", "The value must be true or false."},
        {"{'type':'boolean'}", "1", "The value must be true or false."},
    };
    struct pattern_scratch *scratch = pattern_scratch_new();
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct schema *schema;
        struct schema_set *set = compile(cases[i].schema, &schema);
        struct arena arena;
        arena_init(&arena);
        const char *detail = schema_validate_text(schema, span_of(cases[i].text), scratch, &arena);
        fixture_expect(&failed, cases[i].text, detail ? detail : "right",
                       cases[i].detail ? cases[i].detail : "right");
        arena_reset(&arena);
        schema_set_free(set);
    }
    pattern_scratch_free(scratch);
    assert_int_equal(failed, 0);
}

/* Which schemas need not look at a UUID again. */
static void uuids_are_right_for_some(void **state)
{
    static const struct {
        const char *schema;
        bool takes;
    } cases[] = {
        {"{'type':'string','format':'uuid'}", true},
        {"{'type':'string','format':'uuid','minLength':36,'maxLength':36}", true},
        {"{'type':'string'}", false},
        {"{'type':'string','format':'uuid','minLength':37}", false},
        {"{'type':'string','format':'uuid','maxLength':35}", false},
        {"{'type':'string','format':'uuid','pattern':'^0'}", false},
        {"{'type':'string','format':'uuid','enum':['0f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e6']}", false},
        {"{'type':'string','format':'uuid','allOf':[{'type':'string','maxLength':1}]}", false},
        {"{'type':'integer'}", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct schema *schema;
        struct schema_set *set = compile(cases[i].schema, &schema);
        assert_int_equal(schema_takes_uuids(schema), cases[i].takes);
        schema_set_free(set);
    }
}

/* Schemas that are wrong, and where. */
static void wrong_schemas_are_refused(void **state)
{
    static const struct {
        const char *schema, *problems;
    } cases[] = {
        {"7", "/S a schema must be an object\n"},
        {"{'type':'text'}",
         "/S/type the type must be one of object, array, string, integer, number, boolean\n"},
        {"{'type':['string']}",
         "/S/type the type must be one of object, array, string, integer, number, boolean\n"},
        {"{'minLenght':1}",
         "/S/minLenght keyword \"minLenght\" cannot be checked; did you mean \"minLength\"?\n"},
        {"{'not':{}}", "/S/not keyword \"not\" cannot be checked\n"},
        {"{'exclusiveMinimum':true}", "/S/exclusiveMinimum keyword \"exclusiveMinimum\" cannot be checked\n"},
        {"{'type':'integer','minLength':1}",
         "/S/minLength \"minLength\" says nothing about a value of type \"integer\"\n"},
        {"{'type':'integer','format':'uuid'}",
         "/S/format \"uuid\" says nothing about a value of type \"integer\"\n"},
        {"{'format':'uiud'}", "/S/format this format cannot be checked; did you mean \"uuid\"?\n"},
        {"{'format':1}", "/S/format this format cannot be checked\n"},
        {"{'nullable':1}", "/S/nullable true or false was expected\n"},
        {"{'minLength':-1}", "/S/minLength an integer not below 0 was expected\n"},
        {"{'maxItems':1.5}", "/S/maxItems an integer not below 0 was expected\n"},
        {"{'minLength':2,'maxLength':1}", "/S/maxLength less than minLength\n"},
        {"{'minItems':2,'maxItems':1}", "/S/maxItems less than minItems\n"},
        {"{'minimum':2,'maximum':1}", "/S/maximum less than minimum\n"},
        {"{'minimum':'1'}", "/S/minimum a number was expected\n"},
        {"{'multipleOf':0}", "/S/multipleOf a number above 0 was expected\n"},
        {"{'type':'array'}", "/S an array needs \"items\"\n"},
        {"{'enum':[]}", "/S/enum an array of one value at least was expected\n"},
        {"{'type':'string','enum':['a',1]}", "/S/enum value 1 is not of type \"string\"\n"},
        {"{'pattern':1}", "/S/pattern a text was expected\n"},
        {"{'pattern':'('}", "/S/pattern missing closing parenthesis at offset 1 of the pattern\n"},
        {"{'properties':{'a/b':{'items':{'pattern':1}}}}",
         "/S/properties/a~1b/items/pattern a text was expected\n"},
        {"{'properties':[]}", "/S/properties an object was expected: a schema for each member\n"},
        {"{'required':'a'}", "/S/required an array of member names was expected\n"},
        {"{'required':[1]}", "/S/required an array of member names was expected\n"},
        {"{'additionalProperties':false,'required':['a']}",
         "/S/required \"a\" is required, but neither a property nor allowed as another member\n"},
        {"{'additionalProperties':1}", "/S/additionalProperties a schema must be an object\n"},
        {"{'oneOf':[]}", "/S/oneOf an array of one schema at least was expected\n"},
        {"{'allOf':[{},{'type':1}]}",
         "/S/allOf/1/type the type must be one of object, array, string, integer, number, boolean\n"},
        {"{'$ref':'#/X'}", "/S/$ref the reference leads nowhere\n"},
        {"{'$ref':'other.json#/X'}",
         "/S/$ref a reference must be a text \"#/…\": it is followed within the document only\n"},
        {"{'$ref':'#/%zz'}",
         "/S/$ref a reference must be a text \"#/…\": it is followed within the document only\n"},
        {"{'$ref':'#/S'}", "/S/$ref the references lead round in a circle\n"},
        {"{'properties':{'a':{'$ref':'#/A','nullable':true}}}",
         "/S/properties/a/nullable \"nullable\" beside a \"$ref\" has no effect\n"},
        {"{'allOf':[{'$ref':'#/S'}]}", "/S the schema contains itself through its oneOf, anyOf or allOf\n"},
        {"{'x-portcullis':{'secrt':true}}",
         "/S/x-portcullis/secrt unknown member \"secrt\"; a schema has \"secret\" here\n"},
        {"{'x-portcullis':{'secret':1}}", "/S/x-portcullis/secret true or false was expected\n"},
        {"{'x-portcullis':true}", "/S/x-portcullis an object was expected: {\"secret\": true}\n"},
        {"{'discriminator':{'propertyName':'a'}}",
         "/S/discriminator a discriminator needs either \"oneOf\" or \"anyOf\" beside it\n"},
        {"{'oneOf':[{'$ref':'#/A'}],'discriminator':{'mapping':{'a':'#/A'}}}",
         "/S/discriminator \"propertyName\" with a member's name is missing\n"},
        {"{'oneOf':[{'$ref':'#/A'}],'discriminator':{'propertyName':'k','maping':{'a':'#/A'}}}",
         "/S/discriminator/maping \"maping\" is not understood here\n"},
        {"{'oneOf':[{'$ref':'#/A'}],'discriminator':{'propertyName':'k','mapping':{'a':'#/A','b':'#/B'}}}",
         "/S/discriminator/mapping/b this leads to none of the alternatives\n"},
        {"{'oneOf':[{'$ref':'#/A'},{'type':'object'}],'discriminator':{'propertyName':'k','mapping':{'a':'#/"
         "A'}}}",
         "/S/discriminator nothing chooses alternative 1 of \"oneOf\"\n"},
        {"{'oneOf':[{'$ref':'#/A'}],'discriminator':{'propertyName':'k','mapping':{'a':7,'aa':'#/A'}}}",
         "/S/discriminator/mapping/a the name of a schema, or a reference to it, was expected\n"},
        {"{'type':'string','minimum':1,'pattern':'(','lenght':1}", /* all at once */
         "/S/minimum \"minimum\" says nothing about a value of type \"string\"\n"
         "/S/pattern missing closing parenthesis at offset 1 of the pattern\n"
         "/S/lenght keyword \"lenght\" cannot be checked\n"},
    };
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct document document = document_of(cases[i].schema);
        struct problems problems = {0};
        struct schema_set *set = schema_set_new(&document);
        struct text text = {0};

        text_add(&text, "", 0);
        assert_null(schema_compile(set, "/S", &problems));
        assert_null(schema_compile(set, "/A", &problems)); /* a set with an error hands out nothing */
        for (size_t j = 0; j < problems.count; j++)
            text_add_format(&text, "%s %s\n", problems.items[j].pointer, problems.items[j].message);
        fixture_expect(&failed, cases[i].schema, text.data, cases[i].problems);
        text_free(&text);
        problems_free(&problems);
        schema_set_free(set);
        document_free(&document);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuids_are_right_for_some), cmocka_unit_test(values_are_checked),
        cmocka_unit_test(findings_are_bounded),     cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(parameters_are_checked),   cmocka_unit_test(wrong_schemas_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
