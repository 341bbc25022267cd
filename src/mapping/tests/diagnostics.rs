//! What is said about the rules of a file: one line for each mistake.

use super::*;

/// What is said about a file of which one part is replaced.
pub(super) fn said(text: &str) -> String {
    let (_, lines) = read(text);
    lines.join("\n")
}

/// What is said about these fields of a rule; the first of them stands in line 13.
fn said_of(set: &str) -> String {
    said(&setting("tables: {level: {a: b}}", set))
        .lines()
        .filter(|line| !line.contains("map/unused"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What is said about a rule; its first line is line 10.
fn said_of_rule(rule: &str) -> String {
    said(&file("", rule))
}

#[test]
fn keys_of_the_file() {
    let text = "mapping: 2\nsource: My CRM\ntimezone: America/Mexico\nphone_region: MEX\notherwise: ignore\ndefault: {}\ndefaults: {on_nul: skip, on_blank: erase}\nallow: [tag]\nrules: []\n";
    insta::assert_snapshot!(said(text), @"
    m.yaml:1:1: error map/missing-key: a mapping file needs `tests` (write `tests:` with at least one event, and what must come of it, below it)
    m.yaml:1:10: error map/wrong-value: no version `2` of the mapping language (write `mapping: 1`)
    m.yaml:2:9: error map/wrong-value: `My CRM` is not a name: use 1 to 64 lower-case letters, digits and `-`, starting with a letter or digit (write `source: my-crm`)
    m.yaml:3:11: error map/wrong-value: no time zone `America/Mexico` (did you mean `America/Merida`?)
    m.yaml:4:15: error map/wrong-value: no region `MEX` (write two capital letters, such as MX, CO or US)
    m.yaml:5:12: error map/wrong-value: `otherwise` takes `drop` or `fail`
    m.yaml:6:1: error map/unknown-key: a mapping file has no key `default` (did you mean `defaults`?)
    m.yaml:7:12: error map/unknown-key: `defaults` has no key `on_nul` (did you mean `on_null`?)
    m.yaml:7:36: error map/wrong-value: `on_blank` takes `skip`, `clear` or `keep`
    m.yaml:8:9: error map/unknown-field: Quentli has no field `tag` (did you mean `tags`?)
    m.yaml:9:8: error map/rule-form: `rules` has no rule (write `- name: …` below it)
    ");
    insta::assert_snapshot!(said(""), @"
    m.yaml:1:1: error map/missing-key: a mapping file needs `mapping` (write `mapping: 1`)
    m.yaml:1:1: error map/missing-key: a mapping file needs `source` (write `source:` and the file's name without `.yaml`)
    m.yaml:1:1: error map/missing-key: a mapping file needs `otherwise` (say what becomes of an item that no rule takes: `otherwise: drop` or `otherwise: fail`)
    m.yaml:1:1: error map/missing-key: a mapping file needs `rules` (write `rules:` with `- name: …` below it)
    m.yaml:1:1: error map/missing-key: a mapping file needs `tests` (write `tests:` with at least one event, and what must come of it, below it)
    ");
    insta::assert_snapshot!(said("- a"), @"m.yaml:1:1: error map/wrong-value: a mapping file is a map of keys, but here is a list");
}

#[test]
fn tables_hold_values_of_one_type() {
    let text = file(
        "tables:\n  a: {x: 1, y: two, z: null}\n  b: [1]\n  c: {k: [1]}\n  d: {k: a, ' k ': b}",
        "drop: x",
    );
    insta::assert_snapshot!(said(&text), @"
    m.yaml:6:16: error map/wrong-type: the values of a table have one type, but after a number comes text (put texts that look like something else in quotes)
    m.yaml:6:24: error map/wrong-value: a table gives texts, numbers, or true and false (leave the key out and use `lookup(…, else=null)` or `else=skip`)
    m.yaml:7:6: error map/wrong-value: a table is a map of keys and values, but here is a list
    m.yaml:8:10: error map/wrong-value: a table gives texts, numbers, or true and false (leave the key out and use `lookup(…, else=null)` or `else=skip`)
    m.yaml:9:13: error map/duplicate: the table has two entries for `k` (spaces around a key do not count: remove one of the two)
    ");
}

#[test]
fn rules_have_a_form() {
    let mut told = Vec::new();
    for rule in [
        "set: {name: n}",
        "customer: {id: id}",
        "drop: x\nset: {name: n}",
        "drop: ''",
        "drop: x\nfail: y",
        "fail: y\nset: {name: n}",
        "fail: ''",
        "only: a\ncustomer: {id: id}\nset: {name: n}",
        "whn: a\ndrop: x",
        "customer: {}\nset: {name: n}",
        "customer: {id: id, on_missing: ignore}\nset: {name: n}",
        "customer: {id: id, on_missing: create, create: {}}\nset: {name: n}",
        "customer: {find: [{emial: e}]}\nset: {name: n}",
        "customer: {find: email}\nset: {name: n}",
        "customer: {find: [email]}\nset: {name: n}",
        "customer: {id: id | bool}\nset: {name: n}",
        "customer: {id: id}\nset: []",
        "customer: {id: id}\norder_by: at | trim\nset: {name: n}",
        "each: \"'x'\"\ncustomer: {id: id}\nset: {name: n}",
        "when: type | lower\ndrop: x",
        "when: [a]\ndrop: x",
        "when:\ndrop: x",
        "when: ^.a == 1\ndrop: x",
        "each: a[]\ncustomer: {id: ^^.id}\nset: {name: n}",
    ] {
        told.push(format!(
            "{}\n{}\n",
            rule.replace('\n', " / "),
            said_of_rule(rule)
        ));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    set: {name: n}
    m.yaml:10:11: error map/rule-form: a rule needs `customer` (a rule says whose record (`customer`) and what (`set`), or ends with `drop` or `fail`)

    customer: {id: id}
    m.yaml:10:11: error map/rule-form: a rule needs `set` (a rule says whose record (`customer`) and what (`set`), or ends with `drop` or `fail`)

    drop: x / set: {name: n}
    m.yaml:12:5: error map/rule-form: a rule with `drop` has no `set` (keep `name`, `when` and `drop` only)

    drop: ''
    m.yaml:11:11: error map/rule-form: `drop` is the reason, as a text (write why nothing is sent, such as `drop: connection test`)

    drop: x / fail: y
    m.yaml:12:5: error map/rule-form: a rule with `drop` has no `fail` (keep `name`, `when` and `drop` only)

    fail: y / set: {name: n}
    m.yaml:12:5: error map/rule-form: a rule with `fail` has no `set` (keep `name`, `when` and `fail` only)

    fail: ''
    m.yaml:11:11: error map/rule-form: `fail` is the reason, as a text (write why a person must look, such as `fail: two families were merged`)

    only: a / customer: {id: id} / set: {name: n}
    m.yaml:11:5: error map/rule-form: `only` chooses elements of `each`, which is not here (use `when` for a condition on the item)

    whn: a / drop: x
    m.yaml:11:5: error map/unknown-key: a rule has no key `whn` (did you mean `when`?)

    customer: {} / set: {name: n}
    m.yaml:11:15: error map/rule-form: `customer` needs `id` or `find` (write `id: …`, or `find:` with lines such as `- email: …`)

    customer: {id: id, on_missing: ignore} / set: {name: n}
    m.yaml:11:36: error map/wrong-value: `on_missing` takes `retry`, `fail`, `drop` or `create`

    customer: {id: id, on_missing: create, create: {}} / set: {name: n}
    m.yaml:11:52: error map/rule-form: `create` is a map of fields, but here is an empty one (write `field: expression` lines below it)

    customer: {find: [{emial: e}]} / set: {name: n}
    m.yaml:11:24: error map/unknown-key: customers are not found by `emial` (did you mean `email`?)

    customer: {find: email} / set: {name: n}
    m.yaml:11:22: error map/rule-form: `find` is a list of lines, tried in order (write `- username: …`, `- email: …` or `- metadata.KEY: …`)

    customer: {find: [email]} / set: {name: n}
    m.yaml:11:23: error map/rule-form: a line of `find` has one key (write `- username: …`, `- email: …` or `- metadata.KEY: …`)

    customer: {id: id | bool} / set: {name: n}
    m.yaml:11:20: error map/wrong-type: `customer.id` needs text, but this gives true or false (use `lookup` with a table, or `cases`, to say which text stands for true and false)

    customer: {id: id} / set: []
    m.yaml:12:10: error map/rule-form: `set` is a map of fields, but here is a list (write `field: expression` lines below it)

    customer: {id: id} / order_by: at | trim / set: {name: n}
    m.yaml:12:15: error map/wrong-type: `order_by` needs a number or a date and time, but this gives text (add `| datetime` or `| number`)

    each: "'x'" / customer: {id: id} / set: {name: n}
    m.yaml:11:12: error map/wrong-type: `each` needs a list, but this gives text (a path to a list ends with `[]`)

    when: type | lower / drop: x
    m.yaml:11:11: error map/wrong-type: a condition gives true or false, but this gives text (compare it, `… == '…'`, ask `exists(…)`, or add `| bool`)

    when: [a] / drop: x
    m.yaml:11:11: error map/wrong-value: an expression is expected, but here is a list (put an expression that begins with `[` or `{` in quotes)

    when: / drop: x
    m.yaml:11:9: error map/syntax: an expression is missing here (write where the value comes from, such as `contact.name`, or remove the key)

    when: ^.a == 1 / drop: x
    m.yaml:11:11: error map/unknown-level: there is nothing above the item (leave out `^.`, since names begin at the item; `$` is the whole body)

    each: a[] / customer: {id: ^^.id} / set: {name: n}
    m.yaml:12:20: error map/unknown-level: only the item is above this place (write one `^`; `$` is the whole body)
    "#);
}

#[test]
fn rules_are_named_once_and_reached() {
    let text = file("", "drop: x").replace(
        "  - name: r\n",
        "  - name: all\n    drop: all\n  - name: skipped\n",
    );
    insta::assert_snapshot!(said(&text), @"
    m.yaml:12:11: error map/duplicate: two rules are named `skipped` (give each rule a name of its own)
    m.yaml:12:11: error map/unreachable-rule: no item can reach this rule (put the rule without `when` last)
    ");
}

#[test]
fn fields_exist_and_are_permitted() {
    insta::assert_snapshot!(said_of("phoneNumbr: a | phone\ntelefono: a\ncolor: a\npassword: a\nsignature: a\nemailVerified: true\nmetadata: {a: b}\nmeta: {a: b}"), @"
    m.yaml:13:7: error map/unknown-field: Quentli has no field `phoneNumbr` (did you mean `phoneNumber`?)
    m.yaml:14:7: error map/unknown-field: Quentli has no field `telefono` (did you mean `phoneNumber`?)
    m.yaml:15:7: error map/unknown-field: Quentli has no field `color` (data of your own goes under `metadata`)
    m.yaml:16:7: error map/guarded-field: a mapping never sets `password` (remove it: a customer's secret never comes from an event)
    m.yaml:17:7: error map/guarded-field: `signature` needs permission: it is a proof of the customer's consent (if this source owns it, add `allow: [signature]` at the top of the file)
    m.yaml:18:7: error map/guarded-field: `emailVerified` needs permission: it is the state of the customer's account (if this source owns it, add `allow: [emailVerified]` at the top of the file)
    m.yaml:20:7: error map/metadata-and-meta: `metadata` and `meta` are the same data in Quentli (put all keys under `metadata`)
    ");
}

#[test]
fn values_have_the_type_of_their_field() {
    insta::assert_snapshot!(said_of("phoneNumber: p | trim\nsecondaryPhoneNumber: p\nemail: \"'a@b.mx'\"\noptedOutWhatsappAt: at | unix_s | text\nskipTaxInvoice: flag\nname: flag | bool\nassigneeId: list[]\nreplyWithAssistant: {template: 'x'}\nmetadata:\n  a: flag | bool\n  b: list[]"), @"
    m.yaml:13:20: error map/wrong-type: `phoneNumber` needs a phone number, but this gives text (add `| phone`)
    m.yaml:14:29: error map/wrong-type: `secondaryPhoneNumber` needs a phone number, but this gives whatever the event has there (add `| phone`)
    m.yaml:15:15: error map/wrong-type: `email` needs an e-mail address, but this gives text (add `| email`)
    m.yaml:16:27: error map/wrong-type: `optedOutWhatsappAt` needs a date and time, but this gives text (add `| datetime`)
    m.yaml:17:23: error map/wrong-type: `skipTaxInvoice` needs true or false, but this gives whatever the event has there (add `| bool`)
    m.yaml:18:13: error map/wrong-type: `name` needs text, but this gives true or false (use `lookup` with a table, or `cases`, to say which text stands for true and false)
    m.yaml:19:19: error map/wrong-type: `assigneeId` needs text, but this gives a list (join the entries, `join(', ', …)`, or take one, `| first`)
    m.yaml:20:38: error map/wrong-type: `replyWithAssistant` needs true or false, but this gives text (add `| bool`)
    m.yaml:22:12: error map/wrong-type: `metadata.a` needs text, but this gives true or false (use `lookup` with a table, or `cases`, to say which text stands for true and false)
    m.yaml:23:12: error map/wrong-type: `metadata.b` needs text, but this gives a list (join the entries, `join(', ', …)`, or take one, `| first`)
    ");
    insta::assert_snapshot!(said_of("phoneNumber: {value: '12'}\nsecondaryPhoneNumber: {from: p | phone, default: none}\nemail: {value: x}\noptedOutWhatsappAt: {value: soon}\nskipTaxInvoice: {value: 'true'}\nname: {value: true}\nmetadata: {a: {value: true}}\nassigneeId: {value: [a]}"), @"
    m.yaml:13:28: error map/wrong-type: `phoneNumber` needs a phone number, but this is '12' (write the whole number, such as '+525512345678')
    m.yaml:14:56: error map/wrong-type: `secondaryPhoneNumber` needs a phone number, but this is 'none' (write the whole number, such as '+525512345678')
    m.yaml:15:22: error map/wrong-type: `email` needs an e-mail address, but this is 'x' (write an address such as ana@example.com)
    m.yaml:16:35: error map/wrong-type: `optedOutWhatsappAt` needs a date and time, but this is 'soon' (write it as 2026-01-15 or 2026-01-15T04:30)
    m.yaml:17:31: error map/wrong-type: `skipTaxInvoice` needs true or false, but this is 'true' (write true or false without quotes)
    m.yaml:18:21: error map/wrong-type: `name` needs text, but this is true (for the text `true` write 'true')
    m.yaml:19:29: error map/wrong-type: `metadata.a` needs text, but this is true (for the text `true` write 'true')
    m.yaml:20:27: error map/field-form: a fixed value is expected, but here is a list (only `tags` takes a list, `value: [a, b]`)
    ");
}

#[test]
fn fields_that_cannot_be_cleared_never_are() {
    insta::assert_snapshot!(said_of("name: null\nusername: {value: null}\nskipTaxInvoice: {from: a | bool, on_null: clear}\ntags: {from: a, on_blank: clear}"), @"
    m.yaml:13:13: error map/not-nullable: Quentli cannot clear `name` (leave the field out, and it stays as it is)
    m.yaml:14:25: error map/not-nullable: Quentli cannot clear `username` (leave the field out, and it stays as it is)
    m.yaml:15:49: error map/not-nullable: Quentli cannot clear `skipTaxInvoice` (write `skip`, and the field is left as it is)
    m.yaml:16:33: error map/not-nullable: an entry of `tags` has nothing to clear (write `skip`, and the entry is left out)
    ");
    insta::assert_snapshot!(said_of("name: {from: a, on_blank: clear}\nusername: {from: a, on_blank: keep}\nphoneNumber: {from: a | phone, on_blank: keep}"), @"
    m.yaml:13:33: error map/not-nullable: Quentli cannot clear `name` (write `skip`, and the field is left as it is)
    m.yaml:14:37: error map/not-nullable: `username` cannot be blank (write `skip`, and the field is left as it is)
    m.yaml:15:48: error map/not-nullable: `phoneNumber` cannot be blank (write `skip`, and the field is left as it is)
    ");
}

#[test]
fn fields_have_a_form() {
    insta::assert_snapshot!(said_of("name: {when: a}\nusername: {from: a, value: b}\nemail: [a]\nassigneeId:\nskipTaxInvoice: {frm: a}\nphoneNumber: {cases: []}\nreplyWithAssistant: {cases: [{when: a}, {value: true}]}\ntags: []\nmetadata: [a, {from: a}, {key: a, key_from: b, from: c}, {key: a}]"), @"
    m.yaml:13:13: error map/field-form: it is not said where the value comes from (give exactly one of `from`, `value`, `template` and `cases`)
    m.yaml:14:27: error map/field-form: the value comes from two places (give exactly one of `from`, `value`, `template` and `cases`)
    m.yaml:15:14: error map/field-form: `email` takes one value, but here is a list (put an expression that begins with `[` in quotes)
    m.yaml:16:17: error map/syntax: an expression is missing here (write where the value comes from, such as `contact.name`, or remove the key)
    m.yaml:17:23: error map/field-form: it is not said where the value comes from (give exactly one of `from`, `value`, `template` and `cases`)
    m.yaml:17:24: error map/unknown-key: a field has no key `frm` (did you mean `from`?)
    m.yaml:18:28: error map/field-form: `cases` is a list of conditions with values (write `- when: …` with `from`, `value` or `template` below)
    m.yaml:19:36: error map/field-form: it is not said where the value comes from (give exactly one of `from`, `value` and `template`)
    m.yaml:19:48: error map/missing-key: a case needs `when` (write `- when:` with the condition for this value)
    m.yaml:20:13: error map/field-form: `tags` lists no forms (to send an empty list write `tags: {value: []}`)
    m.yaml:21:18: error map/field-form: an entry of `metadata` needs a key (write `- {key: …, from: …}`)
    m.yaml:21:21: error map/field-form: an entry of `metadata` needs exactly one of `key` and `key_from` (write `key: Grado` for a fixed key, `key_from: name` for one out of the event)
    m.yaml:21:32: error map/field-form: an entry of `metadata` needs exactly one of `key` and `key_from` (write `key: Grado` for a fixed key, `key_from: name` for one out of the event)
    m.yaml:21:64: error map/field-form: it is not said where the value comes from (give exactly one of `from`, `value`, `template` and `cases`)
    ");
    insta::assert_snapshot!(said_of("metadata: a\nname: {from: a, required: yes}\nusername: {from: a, on_error: ignore}\nassigneeId: {from: {a: b}}\nmetadata2: a"), @"
    m.yaml:13:17: error map/field-form: `metadata` is a map of keys, or a list of entries with keys (write `key: expression` lines below it)
    m.yaml:14:33: error map/wrong-value: `required` takes `true` or `false`
    m.yaml:15:37: error map/wrong-value: `on_error` takes `fail` or `skip`
    m.yaml:16:26: error map/wrong-value: an expression is expected, but here is a map (put an expression that begins with `[` or `{` in quotes)
    m.yaml:17:7: error map/unknown-field: Quentli has no field `metadata2` (did you mean `metadata`?)
    ");
    insta::assert_snapshot!(said_of("meta: [{key: a, from: b}]"), @"m.yaml:13:13: error map/field-form: `meta` is a map of keys (use `metadata` for a list of entries)");
}

#[test]
fn expressions_are_readable() {
    insta::assert_snapshot!(said_of("name: a | trim ?? b\nusername: \"'open\"\nassigneeId: a = b\nmetadata:\n  a: {template: 'x {a | lowr} {b'}\n  b: {template: 'x } y'}\n  c: {template: '{a} {b +}'}\n  d: \"a\\tb\""), @r#"
    m.yaml:13:22: error map/ambiguous-fallback: `??` after a transform is ambiguous (put the part before `??` in parentheses, `(a | trim) ?? b`, or the transform last, `a ?? b | trim`)
    m.yaml:14:18: error map/unclosed: the quote ' is never closed (close it. If this is a one-line `{…}` or `[…]`, a comma ended the value: put the whole value in double quotes)
    m.yaml:15:21: error map/syntax: one `=` compares nothing (write `==` to compare)
    m.yaml:17:31: error map/unknown-transform: no transform `lowr` (did you mean `lower`?)
    m.yaml:17:37: error map/unclosed: the brace is never closed (close it with `}`; for a brace as text write `{{`)
    m.yaml:18:26: error map/syntax: a brace is closed that was never opened (open it with `{`; for a brace as text write `}}`)
    m.yaml:19:31: error map/syntax: `+` means nothing here (there is no arithmetic; `join` and `concat` put texts together)
    m.yaml:20:12: error map/syntax: `b` cannot stand here (a text is written in single quotes: 'b'; a name with spaces in double quotes: contact."tipo de plan")
    "#);
}

#[test]
fn functions_exist_and_are_called_as_they_are_written() {
    insta::assert_snapshot!(said_of("name: a | lowr\nusername: a | lookup(levl)\nassigneeId: lower(a)\nmetadata:\n  a: a | concat('x')\n  b: a | replace('x')\n  c: a | max_len('x')\n  d: a | trim(1)\n  e: join(a, b)\n  f: concat()\n  g: exists(a, b)\n  h: a | lookup('level')\n  i: a | lookup(level, else=x)\n  j: a | split('')\n  k: concat(x=a)\n  l: a | matches('(')\n  m: a | default(x=1)\n  n: a | number(decimals=',')\n  o: a | number(decimal=';')\n  p: a | number(',')\n  q: a | rfc(strict=1)\n  r: a | rfc(strikt=true)\n  s: a | curp('x')\n  t: a | day_first('DD/MM/YYYY')\n  u: a | day_first(zone='UTC')\n  v: a | trim(at=1)"), @r"
    m.yaml:13:17: error map/unknown-transform: no transform `lowr` (did you mean `lower`?)
    m.yaml:14:28: error map/unknown-table: no table `levl` (did you mean `level`?)
    m.yaml:15:19: error map/wrong-arguments: `lower` follows the value it works on (write `a | lower`)
    m.yaml:17:16: error map/wrong-arguments: `concat` does not follow `|` (write `concat(a, 'x')`)
    m.yaml:18:16: error map/wrong-arguments: `replace` does not take these arguments (it is written `x | replace('a', 'b')`)
    m.yaml:19:16: error map/wrong-arguments: `max_len` does not take these arguments (it is written `x | max_len(40)`)
    m.yaml:20:16: error map/wrong-arguments: `trim` takes no arguments (it is written `x | trim`)
    m.yaml:21:12: error map/wrong-arguments: `join` needs other arguments (it is written `join(', ', a, b, …)`)
    m.yaml:22:12: error map/wrong-arguments: `concat` needs other arguments (it is written `concat(a, b, …)`)
    m.yaml:23:12: error map/wrong-arguments: `exists` takes one value (it is written `exists(x)`)
    m.yaml:24:23: error map/wrong-arguments: the name of a table is expected (it is written `x | lookup(table)`, or `x | lookup(table, else='-')`)
    m.yaml:25:35: error map/wrong-arguments: `else` is a text in quotes, a number, true, false, null or skip (it is written `x | lookup(table)`, or `x | lookup(table, else='-')`)
    m.yaml:26:16: error map/wrong-arguments: `split` does not take these arguments (it is written `x | split(',')`)
    m.yaml:27:12: error map/wrong-arguments: `concat` has no named arguments (it is written `concat(a, b, …)`)
    m.yaml:28:24: error map/wrong-arguments: this is not a regular expression: found open group without closing ')' (put `\` before a sign that stands for itself: . * + ? ( ) [ ] { } ^ $ | \)
    m.yaml:29:24: error map/wrong-arguments: `default` has no argument `x` (it is written `x | default(value)`)
    m.yaml:30:23: error map/wrong-arguments: `number` has no argument `decimals` (did you mean `decimal`?)
    m.yaml:31:16: error map/wrong-arguments: `number` does not take these arguments (it is written `x | number`, or `x | number(decimal=',')`)
    m.yaml:32:16: error map/wrong-arguments: `number` does not take these arguments (it is written `x | number`, or `x | number(decimal=',')`)
    m.yaml:33:16: error map/wrong-arguments: `rfc` does not take these arguments (it is written `x | rfc`, or `x | rfc(strict=true)`)
    m.yaml:34:20: error map/wrong-arguments: `rfc` has no argument `strikt` (did you mean `strict`?)
    m.yaml:35:16: error map/wrong-arguments: `curp` takes no arguments (it is written `x | curp`)
    m.yaml:36:16: error map/wrong-arguments: `day_first` does not take these arguments (it is written `x | day_first`, or `x | day_first(tz='America/Bogota')`)
    m.yaml:37:26: error map/wrong-arguments: `day_first` has no argument `zone` (it is written `x | day_first`, or `x | day_first(tz='America/Bogota')`)
    m.yaml:38:21: error map/wrong-arguments: `trim` has no argument `at` (it is written `x | trim`)
    ");
    insta::assert_snapshot!(said_of("phoneNumber: a | phone('XX')\noptedOutWhatsappAt: a | datetime('DD/MM/Y')\nmetadata:\n  a: a | datetime('YYYY-MM-DD', tz='Mexico')\n  b: a | datetime(zone='UTC')\n  c: a | bool | trim\n  d: a | trim | first\n  e: a | count | datetime\n  f: a | datetime | number\n  g: join(' ', a | bool)"), @"
    m.yaml:13:30: error map/wrong-arguments: no region `XX` (write two capital letters, such as MX, CO or US)
    m.yaml:14:40: error map/wrong-arguments: the pattern has no letter `Y`: use YYYY YY MMMM MMM MM M DD D HH H hh h mm ss SSS A Z, and put other text in square brackets, such as [de] (it is written `x | datetime`, or `x | datetime('DD/MM/YYYY HH:mm', tz='America/Bogota')`)
    m.yaml:16:42: error map/wrong-arguments: no time zone `Mexico` (write an IANA name such as America/Mexico_City)
    m.yaml:17:25: error map/wrong-arguments: `datetime` has no argument `zone` (it is written `x | datetime`, or `x | datetime('DD/MM/YYYY HH:mm', tz='America/Bogota')`)
    m.yaml:18:12: error map/wrong-type: `trim` takes text, but this gives true or false (use `lookup` with a table, or `cases`, to say which text stands for true and false)
    m.yaml:19:12: error map/wrong-type: `first` takes a list, but this gives text (a path to a list ends with `[]`)
    m.yaml:20:12: error map/wrong-type: `datetime` takes text, but this gives a number (use `| unix_s` or `| unix_ms`)
    m.yaml:21:12: error map/wrong-type: `number` takes a number or text, but this gives a date and time
    m.yaml:22:22: error map/wrong-type: `join` takes text, but this gives true or false (use `lookup` with a table, or `cases`, to say which text stands for true and false)
    ");
}

#[test]
fn conditions_and_comparisons_have_types() {
    let mut told = String::new();
    for condition in [
        "a < 'x'",
        "(a | datetime) > 5",
        "a in 'x'",
        "a | trim",
        "not a | count",
        "a and 5",
        "'x' or b",
    ] {
        let quoted = condition.replace('\'', "''");
        told.push_str(&said_of(&format!("name: {{when: '{quoted}', value: x}}")));
        told.push('\n');
    }
    insta::assert_snapshot!(told, @r"
    m.yaml:13:20: error map/wrong-type: `<` compares two numbers or two dates, but this gives text (add `| number` or `| datetime`)
    m.yaml:13:38: error map/wrong-type: `>` compares two numbers or two dates, but this gives a number (add `| number` or `| datetime`)
    m.yaml:13:20: error map/wrong-type: `in` needs a list on its right, but this gives text (write a list, `in ['a', 'b']`, or a path that ends with `[]`)
    m.yaml:13:21: error map/wrong-type: a condition gives true or false, but this gives text (compare it, `… == '…'`, ask `exists(…)`, or add `| bool`)
    m.yaml:13:25: error map/wrong-type: a condition gives true or false, but this gives a number (compare it, `… == '…'`, ask `exists(…)`, or add `| bool`)
    m.yaml:13:27: error map/wrong-type: a condition gives true or false, but this gives a number (compare it, `… == '…'`, ask `exists(…)`, or add `| bool`)
    m.yaml:13:20: error map/wrong-type: a condition gives true or false, but this gives text (compare it, `… == '…'`, ask `exists(…)`, or add `| bool`)
    ");
}

#[test]
fn a_transform_like_no_other_points_to_the_list_of_them() {
    insta::assert_snapshot!(said(&setting("", "name: n | zzzzzzzz")), @r#"m.yaml:13:17: error map/unknown-transform: no transform `zzzzzzzz` (`quentli-gateway functions` lists all of them)"#);
}

#[test]
fn limits_hold_at_load() {
    let mut told = String::new();
    let many =
        |line: &dyn Fn(usize) -> String, count: usize| (0..count).map(line).collect::<String>();
    let rules = many(&|n| format!("  - {{name: r{n}, when: a, drop: x}}\n"), 201);
    for text in [
        file("", "drop: x").replace("  - name: r\n    drop: x\n", &rules),
        setting(
            "",
            &format!("metadata:\n{}", many(&|n| format!("  k{n}: a\n"), 201)),
        ),
        file(
            &format!(
                "tables:\n  t:\n{}",
                many(&|n| format!("    k{n}: v\n"), 10_001)
            ),
            "drop: x",
        ),
        setting("", &format!("name: {}", "a".repeat(2001))),
        setting("", &format!("name: {}a{}", "(".repeat(33), ")".repeat(33))),
    ] {
        let lines = said(&text);
        told.push_str(
            &lines
                .lines()
                .filter(|line| !line.contains("unused"))
                .collect::<String>(),
        );
        told.push('\n');
    }
    insta::assert_snapshot!(told, @"
    m.yaml:209:5: error map/limit: the file has 202 rules; at most 200 are taken (a table with `lookup` often takes the place of many rules; or split them between sources)
    m.yaml:10:11: error map/limit: the rule sets 201 fields; at most 200 are taken (entries with `each` and `key_from` take the place of many keys)
    m.yaml:6:3: error map/limit: the tables have 10001 entries; at most 10000 are taken
    m.yaml:13:13: error map/limit: the expression has 2001 characters; at most 2000 are taken (use a table with `lookup`, or `cases`, in place of a long list of comparisons)
    m.yaml:13:46: error map/limit: the expression has more than 32 levels of parentheses
    ");
}

#[test]
fn a_report_marks_the_place_in_the_source_line() {
    let mut out = Collector::new(SourceText::new(
        "mappings/crm.yaml",
        setting("", "phoneNumber: phone | trim\nname: n | lowr"),
    ));
    let root = yaml::parse(&mut out).unwrap();
    let options = CompileOptions {
        also_known: &[],
        dedup: &[],
        read_sample: &no_samples,
        unreadable_samples: UnreadableSamples::Refuse,
        secret_headers: &[],
    };
    assert!(compile(&root, &options, &mut out).mapping.is_none());
    let report = crate::diag::render_report(&out.finish(), crate::diag::Style::Plain);
    insta::assert_snapshot!(report, @r"
    error[map/wrong-type]: `phoneNumber` needs a phone number, but this gives text
      --> mappings/crm.yaml:13:20
       |
    13 |       phoneNumber: phone | trim
       |                    ^^^^^^^^^^^^ gives text
       |
       = help: add `| phone`

    error[map/unknown-transform]: no transform `lowr`
      --> mappings/crm.yaml:14:17
       |
    14 |       name: n | lowr
       |                 ^^^^ unknown transform
       |
       = help: did you mean `lower`?
    ");
}

#[test]
fn what_other_languages_write_is_told_with_what_to_write_here() {
    for (top, fields, told) in [
        (
            "",
            "name: {from: s, when: \"type == 'a\"}",
            "put the whole value in double quotes",
        ),
        (
            "",
            "name:\n  from: s\n  when: type == 'a #b'",
            "in YAML ` #` begins a comment, so the value ended there",
        ),
        ("", "name: a ==  # why", "in YAML ` #` begins a comment"),
        (
            "",
            "name: a b  # why",
            "a text is written in single quotes: 'b'",
        ),
        (
            "",
            "name: items.0.name",
            "for an element of a list write [0].name",
        ),
        (
            "",
            "name: \"a | matches('(x{1000}){1000}')\"",
            "is too large (shorten the repetitions",
        ),
        (
            "tables: {niv: {a: b}}",
            "name: a | lookup(nivel)",
            "did you mean `niv`?",
        ),
    ] {
        let (mapping, lines) = read(&setting(top, fields));
        assert!(mapping.is_none(), "{fields}");
        assert!(
            lines.iter().any(|line| line.contains(told)),
            "{fields}: {lines:?}"
        );
        assert!(
            !lines.iter().any(|line| line.contains("map/unused")),
            "{fields}: {lines:?}"
        );
    }
}
