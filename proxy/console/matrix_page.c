/* A matrix as one page of HTML that needs nothing else: no other file, no network. What it may do is said by
 * a Content-Security-Policy that names its style and its script by their digests. */
#include "policies/digest.h"
#include "proxy/console/matrix.h"
#include "proxy/note/base64.h"

#include "policies/ascii.h"
#include "policies/utf8.h"

static const char style[] =
    "body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem;color:#1b1b1b;background:#fff}"
    "h1{font-size:1.3rem;margin:0 0 .3rem}p{margin:.2rem 0}"
    "form{margin:1rem 0;display:flex;flex-wrap:wrap;gap:.8rem;align-items:end}"
    "label{display:flex;flex-direction:column;font-size:.85rem}label.row{flex-direction:row;gap:.3rem}"
    "input,select{font:inherit;padding:.2rem .4rem}"
    "table{border-collapse:collapse}"
    "th,td{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "thead th{background:#eee;position:sticky;top:0}td small{display:none;color:#333;word-break:break-all}"
    "table.rules td small{display:block}"
    ".allowed{background:#d6f0d6}.conditional{background:#fdf0c4}.denied{background:#f7d9d7}"
    "[hidden]{display:none}"
    "@media print{body{margin:0;font-size:9px}form{display:none}thead{display:table-header-group}"
    "thead th{position:static}tr{break-inside:avoid}*{print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}}";

/* Names are looked for as they are written, in any case; a row stays when a column that stays has the
 * verdict. */
static const char script[] =
    "'use strict';(function(){"
    "var by=function(id){return document.getElementById(id)};"
    "var table=by('matrix'),rows=Array.prototype.slice.call(table.tBodies[0].rows);"
    "var heads=table.tHead.rows[0].cells,ids=['principal','organization','operation','verdict'];"
    "function has(cell,words){return cell.textContent.toLowerCase().indexOf(words)>=0}"
    "function columns(name){for(var i=2;i<heads.length;i++)"
    "heads[i].hidden=name!==''&&heads[i].textContent!==name}"
    "function show(){"
    "var principal=by('principal').value.toLowerCase(),organization=by('organization').value.toLowerCase();"
    "var verdict=by('verdict').value,shown=0;columns(by('operation').value);"
    "rows.forEach(function(row){var any=verdict==='';"
    "for(var i=2;i<row.cells.length;i++){row.cells[i].hidden=heads[i].hidden;"
    "any=any||(!heads[i].hidden&&row.cells[i].className===verdict)}"
    "row.hidden=!(any&&has(row.cells[0],principal)&&has(row.cells[1],organization));"
    "shown+=row.hidden?0:1});"
    "by('shown').textContent=shown+' of '+rows.length+' rows'}"
    "ids.forEach(function(id){by(id).addEventListener('input',show)});"
    "by('rules').addEventListener('change',function(){table.className=this.checked?'rules':''});"
    "by('filter').addEventListener('submit',function(event){event.preventDefault()});"
    "by('print').addEventListener('click',function(){window.print()});show()})();";

/* Text as a page shows it: what has a meaning in HTML is written as a reference, and what is no character at
 * all as U+FFFD. */
static void add_text(struct text *out, const char *string)
{
    struct span text = span_of(string);

    for (size_t at = 0, length; at<text.length; at += length> 0 ? length : 1) {
        char c = text.data[at];

        length = utf8_sequence(text, at);
        if (length == 0 || ascii_is_control(c))
            text_add_string(out, "&#xFFFD;");
        else if (strchr("&<>\"'", c) != NULL)
            text_add_format(out, "&#%d;", c);
        else
            text_add(out, text.data + at, length);
    }
}

/* 'sha256-…' as a Content-Security-Policy has it. */
static void add_source(struct text *out, const char *source)
{
    unsigned char digest[DIGEST_SIZE];

    digest_of(span_of(source), digest);
    text_add_string(out, "'sha256-");
    base64_write(digest, sizeof digest, out);
    text_add_string(out, "'");
}

static void add_head(struct text *out)
{
    text_add_string(out,
                    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src ");
    add_source(out, style);
    text_add_string(out, "; script-src ");
    add_source(out, script);
    text_add_string(out, "; base-uri 'none'; form-action 'none'\">\n"
                         "<meta name=\"referrer\" content=\"no-referrer\">\n"
                         "<title>Portcullis: who may do what</title>\n<style>");
    text_add_string(out, style);
    text_add_string(out, "</style>\n</head>\n<body>\n<h1>Who may do what</h1>\n");
}

static void add_controls(const struct matrix *matrix, struct text *out)
{
    text_add_string(out, "<form id=\"filter\">\n"
                         "<label>Principal <input id=\"principal\" type=\"search\"></label>\n"
                         "<label>Organization <input id=\"organization\" type=\"search\"></label>\n"
                         "<label>Operation <select id=\"operation\"><option value=\"\">all</option>");
    for (size_t i = 0; i < matrix->operation_count; i++) {
        text_add_string(out, "<option>");
        add_text(out, matrix->operations[i]->id);
        text_add_string(out, "</option>");
    }
    text_add_string(out, "</select></label>\n"
                         "<label>Verdict <select id=\"verdict\"><option value=\"\">any</option>");
    for (int i = 0; i < CELL_VERDICTS; i++)
        text_add_format(out, "<option>%s</option>", cell_verdict_name((enum cell_verdict)i));
    text_add_string(out, "</select></label>\n"
                         "<label class=\"row\"><input id=\"rules\" type=\"checkbox\"> by which rule</label>\n"
                         "<button id=\"print\" type=\"button\">Print</button>\n"
                         "<output id=\"shown\"></output>\n</form>\n");
}

void matrix_page_begin(const struct matrix *matrix, struct text *out)
{
    add_head(out);
    text_add_string(out, "<p>Policy ");
    add_text(out, policy_digest(matrix->policy));
    text_add_string(
        out, "</p>\n<p>What the policy says of a request that is well-formed, of an allowed version and "
             "as the contract has it. The organization \"*\" is any that the policy does not name.</p>\n");
    add_controls(matrix, out);
    text_add_string(out,
                    "<table id=\"matrix\">\n<thead><tr><th scope=\"col\">Principal</th><th scope=\"col\">"
                    "Organization</th>");
    for (size_t i = 0; i < matrix->operation_count; i++) {
        text_add_string(out, "<th scope=\"col\">");
        add_text(out, matrix->operations[i]->id);
        text_add_string(out, "</th>");
    }
    text_add_string(out, "</tr></thead>\n<tbody>\n");
}

static void add_cell(struct text *out, const struct cell *cell)
{
    const char *name = cell_verdict_name(cell->verdict);

    text_add_format(out, "<td class=\"%s\">%s", name, name);
    if (cell->enforced != cell->verdict)
        text_add_format(out, " (observed; would be %s)", cell_verdict_name(cell->enforced));
    text_add_string(out, "<small>");
    add_text(out, cell->rule);
    for (const struct cell_condition *at = cell->conditions; at != NULL; at = at->next) {
        text_add_string(out, "<br>");
        add_text(out, at->what);
        text_add_string(out, " ");
        add_text(out, at->rule);
    }
    text_add_string(out, "</small></td>");
}

void matrix_page_row(const struct matrix *matrix, const struct matrix_row *row, bool first, struct text *out)
{
    (void)first;
    text_add_string(out, "<tr><th scope=\"row\">");
    add_text(out, row->principal);
    text_add_string(out, "</th><td>");
    add_text(out, row->organization);
    text_add_string(out, "</td>");
    for (size_t i = 0; i < matrix->operation_count; i++)
        add_cell(out, &row->cells[i]);
    text_add_string(out, "</tr>\n");
}

void matrix_page_end(const struct matrix *matrix, struct text *out)
{
    (void)matrix;
    text_add_string(out, "</tbody>\n</table>\n<script>");
    text_add_string(out, script);
    text_add_string(out, "</script>\n</body>\n</html>\n");
}
