#include "policies/schema.h"
#include "tests/unit/policies/fixture.h"

static void show_mask(void *arg, struct span secret, struct text *out)
{
    ++*(unsigned *)arg;
    text_add_string(out, "<");
    for (size_t i = 0; i < secret.length; i++) /* no quotes: the mask stands in a string */
        text_add(out, secret.data[i] == '"' ? "'" : secret.data + i, 1);
    text_add_string(out, ">");
}

static void expect_masked(unsigned *failed, const struct schema *schema, const char *value,
                          const char *wanted)
{
    json_t *json = fixture_value(value);
    char *expected = fixture_json(wanted);
    struct text out = {0};
    unsigned masks = 0;

    schema_write_masked(schema, json, show_mask, &masks, &out);
    assert_false(out.failed);
    for (char *c = out.data; *c != '\0'; c++) /* wanted texts have no ' inside of masks */
        if (*c == '\'')
            *c = '"';
    fixture_expect(failed, value, out.data, expected);
    text_free(&out);
    free(expected);
    json_decref(json);
}

static void names_decide_without_a_schema(void **state)
{
    static const struct {
        const char *value, *masked;
    } cases[] = {
        {"{'b':1,'a':[true,null,-2,1.5,'x\\n']}", "{'a':[true,null,-2,1.5,'x\\n'],'b':1}"},
        {"'text'", "'text'"},
        {"{'Z':1,'a':2,'_':3,'\xc3\xa9':4}", "{'Z':1,'_':3,'a':2,'\xc3\xa9':4}"},
        {"{'token':'s','password':'s','secret':'s','api_key':'s','private_key':'s'}",
         "{'api_key':'<s>','password':'<s>','private_key':'<s>','secret':'<s>','token':'<s>'}"},
        {"{'brokerToken':'s','API-KEY':'s','apiKey':'s','client_SECRET':'s','privateKey':'s','x_token_':'s'}",
         "{'API-KEY':'<s>','apiKey':'<s>','brokerToken':'<s>','client_SECRET':'<s>','privateKey':'<s>',"
         "'x_token_':'<s>'}"},
        {"{'token_type':'bearer','tokens':1,'secretary':'x','key':'x','oken':'x'}",
         "{'key':'x','oken':'x','secretary':'x','token_type':'bearer','tokens':1}"},
        {"{'password':1234,'token':['s'],'has_secret':true,'secret':null}",
         "{'has_secret':true,'password':'<1234>','secret':null,'token':'<['s']>'}"},
        {"{'x':[{'credentials':{'b':'s','a':{'c':[1,true,null,{}]}}}]}",
         "{'x':[{'credentials':{'a':{'c':['<1>','<true>','<null>',{}]},'b':'<s>'}}]}"},
        {"{'Credentials':'s','credential':'x'}", "{'Credentials':'<s>','credential':'x'}"},
    };
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_masked(&failed, NULL, cases[i].value, cases[i].masked);
    assert_int_equal(failed, 0);
}

static void the_schema_decides_too(void **state)
{
    static const struct {
        const char *value, *masked;
    } cases[] = {
        {"{'name':'n','pin':'s','mark':'s','size':3}", "{'mark':'<s>','name':'n','pin':'<s>','size':3}"},
        {"{'unknown':{'b':'s','a':1},'name':'n'}", "{'name':'n','unknown':'<{'a':1,'b':'s'}>'}"},
        {"{'name':{'deep':'s'}}", "{'name':'<{'deep':'s'}>'}"}, /* of another type than the schema says */
        {"{'name':null,'nothing':null}", "{'name':'<null>','nothing':null}"},
        {"'s'", "'<s>'"},
        {"['s']", "'<['s']>'"},
        {"{'list':['n',1,'n']}", "{'list':['n','<1>','n']}"},
        {"{'free':'s'}", "{'free':'<s>'}"}, /* a schema that says nothing knows nothing */
        {"{'credentials':{'known':'s','other':{'x':'s'}}}",
         "{'credentials':'<{'known':'s','other':{'x':'s'}}>'}"}, /* an unknown name may be a secret */
        {"{'credentials':{'known':'s'}}", "{'credentials':{'known':'<s>'}}"},
        {"{'credentials':{'known':{'x':'s'}}}", "{'credentials':{'known':'<{'x':'s'}>'}}"},
        {"{'map':{'x':1,'y':'s'}}", "{'map':{'x':1,'y':'<s>'}}"},
        {"{'either':{'kind':'k','a':'s','b':'n','c':'s'}}",
         "{'either':{'a':'<s>','b':'n','c':'<s>','kind':'k'}}"},
        {"{'either':'s'}", "{'either':'<s>'}"},
        {"{'tree':{'tree':{'leaf':'n','token':'s','x':'s'}}}",
         "{'tree':{'tree':{'leaf':'n','token':'<s>','x':'<s>'}}}"},
    };
    struct document document = fixture_document(
        "{'S':{'type':'object','properties':{'name':{'type':'string'},'pin':{'type':'string','format':'"
        "password'},"
        "'mark':{'type':'string','x-portcullis':{'secret':true}},'size':{'type':'integer'},"
        "'nothing':{'type':'string','nullable':true},'list':{'type':'array','items':{'type':'string'}},'free'"
        ":{},"
        "'credentials':{'type':'object','properties':{'known':{'type':'string'}}},"
        "'map':{'type':'object','additionalProperties':{'type':'integer'}},"
        "'either':{'oneOf':[{'type':'object','properties':{'kind':{'type':'string'},'a':{'type':'string'}}},"
        "{'type':'object','properties':{'a':{'type':'string','format':'password'},'b':{'type':'string'}}}]},"
        "'tree':{'$ref':'#/T'}}},'T':{'type':'object','properties':{'tree':{'$ref':'#/T'},"
        "'leaf':{'type':'string'},'token':{'type':'string'}}}}");
    struct problems problems = {0};
    struct schema_set *set = schema_set_new(&document);
    const struct schema *schema = schema_compile(set, "/S", &problems);
    unsigned failed = 0;

    (void)state;
    assert_non_null(schema);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_masked(&failed, schema, cases[i].value, cases[i].masked);
    schema_set_free(set);
    document_free(&document);
    assert_int_equal(failed, 0);
}

/* A body of nothing but unknown members does not grow in the journal: one mask stands for all of it. */
static void bounds_what_a_body_becomes(void **state)
{
    static const struct {
        int members;
        unsigned masks;
    } rows[] = {{32, 32}, {33, 1}, {1000, 1}};
    struct document document =
        fixture_document("{'S':{'type':'object','properties':{'name':{'type':'string'}}}}");
    struct problems problems = {0};
    struct schema_set *set = schema_set_new(&document);
    const struct schema *schema = schema_compile(set, "/S", &problems);

    (void)state;
    assert_non_null(schema);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *body = json_object();
        struct text out = {0};
        unsigned masks = 0;
        for (int n = 0; n < rows[i].members; n++) {
            char name[16];
            (void)snprintf(name, sizeof name, "m%d", n);
            assert_int_equal(json_object_set_new(body, name, json_integer(n)), 0);
        }
        schema_write_masked(schema, body, show_mask, &masks, &out);
        assert_int_equal(masks, rows[i].masks);
        text_free(&out);
        json_decref(body);
    }
    schema_set_free(set);
    document_free(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_decide_without_a_schema),
        cmocka_unit_test(the_schema_decides_too),
        cmocka_unit_test(bounds_what_a_body_becomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
