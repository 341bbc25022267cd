//! Customers whom Quentli does not have yet.

use super::*;

/// A file with this `customer` and `set`, whose only test has these guardians, `found` and `expect`.
fn guardians(customer: &str, set: &str, test: &str) -> String {
    let rule = format!(
        "each: guardians[]\ncustomer:\n{}set:\n{}",
        indented(customer, "  "),
        indented(set, "  ")
    );
    let whole = file("", &rule);
    let (head, _) = whole.split_once("tests:\n").unwrap();
    format!("{head}tests:\n  - name: t\n{}", indented(test, "    "))
}

const FOUND_BY_USERNAME: &str =
    "find:\n  - username: concat('tut-', id)\n  - email: mail | lower\non_missing: create\n";

#[test]
fn a_new_customer_is_made_of_the_update_the_creation_fields_and_what_it_was_looked_for_by() {
    for (create, set, test) in [
        // Everything that is needed stands under `set`.
        (
            "",
            "name: name\nphoneNumber: phone | phone\nreplyWithAssistant: true",
            "event: {guardians: [{id: G1, name: Ana, phone: null}]}\nexpect: [{create: {username: tut-G1, name: Ana, replyWithAssistant: true}}]",
        ),
        // `create` fills the gaps, and only those.
        (
            "create:\n  name: concat('Tutor ', id)\n  skipTaxInvoice: true\n  metadata: {origin: $.school}\n",
            "name: name\nmetadata: {plan: plan}",
            "event: {school: Norte, guardians: [{id: G1, plan: A}, {id: G2, name: Ana}]}\nexpect:\n  - create: {username: tut-G1, name: Tutor G1, skipTaxInvoice: true, metadata: [{key: plan, value: A}, {key: origin, value: Norte}]}\n  - create_includes: {name: Ana}",
        ),
        // Both lines are given to it, the address as `set` has it.
        (
            "",
            "name: name\nemail: mail | email",
            "event: {guardians: [{id: G1, name: Ana, mail: ANA@x.mx}]}\nexpect: [{create: {username: tut-G1, name: Ana, email: ANA@x.mx}}]",
        ),
        (
            "",
            "name: name",
            "event: {guardians: [{name: Ana, mail: ANA@x.mx}]}\nexpect: [{create: {name: Ana, email: ana@x.mx}}]",
        ),
        // Who is there is changed, without the creation fields.
        (
            "create: {skipTaxInvoice: true}\n",
            "name: name",
            "found: {email=ana@x.mx: cus_9}\nevent: {guardians: [{id: G1, name: Ana, mail: ana@x.mx}]}\nexpect: [{customer: cus_9, patch: {name: Ana}}]",
        ),
        // What is no address is not given to it.
        (
            "",
            "name: name",
            "event: {guardians: [{id: G1, name: Ana, mail: 'ana <ana@x.mx>'}]}\nexpect: [{create: {username: tut-G1, name: Ana}, warnings: [\"customer.find.email: 'ana <ana@x.mx>' is not an e-mail address and is left out\"]}]",
        ),
        (
            "",
            "name: name",
            "event: {guardians: [{name: Ana, mail: ana at x}]}\nexpect: [{fail: no customer reference}]",
        ),
        // Nor a name of which only the fixed part is there.
        (
            "create: {username: \"concat('alumno-', other)\"}\n",
            "name: \"concat('Tutor ', name)\"\nphoneNumber: phone | phone",
            "event: {guardians: [{id: G1, phone: '5512345678'}, {id: G2, name: Ana}]}\nexpect: [{fail: \"customer not found, and a new one needs a name\"}, {create: {username: tut-G2, name: Tutor Ana}}]",
        ),
        // What changes nothing creates nobody.
        (
            "create: {name: id}\n",
            "name: name",
            "event: {guardians: [{id: G1}]}\nexpect: [{drop: nothing to change}]",
        ),
        // A fault may be tolerated, as everywhere.
        (
            "create:\n  phoneNumber: {from: phone | phone, on_error: skip}\n",
            "name: name",
            "event: {guardians: [{id: G1, name: Ana, phone: x}]}\nexpect: [{create: {name: Ana, username: tut-G1}, warnings: [\"create.phoneNumber: phone: 'x' is not a phone number\"]}]",
        ),
        (
            "create: {phoneNumber: phone | phone}\n",
            "name: name",
            "event: {guardians: [{id: G1, name: Ana, phone: x}]}\nexpect: [{fail: \"create.phoneNumber: phone: 'x' is not a phone number\"}]",
        ),
        // Null and blank leave a creation field out, whatever the defaults say of `set`.
        (
            "create: {phoneNumber: phone | phone, name: nil, username: blank, metadata: {a: nil}}\n",
            "name: name",
            "event: {guardians: [{id: G1, name: Ana, phone: null, nil: null, blank: ' '}]}\nexpect: [{create: {name: Ana, username: tut-G1}}]",
        ),
    ] {
        let customer = format!("{FOUND_BY_USERNAME}{create}");
        compiled(&guardians(&customer, set, test));
        let clearing = guardians(&customer, set, test).replace(
            "otherwise: drop\n",
            "otherwise: drop\ndefaults: {on_null: clear, on_blank: clear}\n",
        );
        compiled(&clearing);
    }
}

#[test]
fn updates_of_one_new_customer_are_shown_as_one() {
    compiled(&guardians(
        FOUND_BY_USERNAME,
        "name: name\nemail: mail | email\nmetadata: {a: a}",
        "event: {guardians: [{id: G1, name: Ana, mail: ana@x.mx, a: '1'}, {id: G2, name: Eva}, {id: G1, name: Ana María, a: null}, {mail: ANA@x.mx, name: Ana M.}]}\nexpect:\n  - create: {username: tut-G1, name: Ana M., email: ANA@x.mx}\n  - create: {username: tut-G2, name: Eva}",
    ));
}

#[test]
fn nobody_is_created_who_has_no_name_or_would_not_be_found_again() {
    for (customer, set, test) in [
        (
            FOUND_BY_USERNAME,
            "name: name\nphoneNumber: phone | phone",
            "event: {guardians: [{id: G1, phone: '5512345678'}]}\nexpect: [{fail: \"customer not found, and a new one needs a name\"}]",
        ),
        // An event without the name still changes who is there.
        (
            FOUND_BY_USERNAME,
            "name: name\nphoneNumber: phone | phone",
            "found: {username=tut-G1: cus_1}\nevent: {guardians: [{id: G1, phone: '5512345678'}]}\nexpect: [{customer: cus_1, patch: {phoneNumber: '+525512345678'}}]",
        ),
        (
            "find: [{username: id}]\non_missing: create\n",
            "name: name\nusername: other",
            "event: {guardians: [{id: G1, name: Ana, other: G2}]}\nexpect: [{fail: \"customer not found, and a new one would not be found again by what `find` looks for\"}]",
        ),
        (
            FOUND_BY_USERNAME,
            "name: name",
            "event: {guardians: [{name: Ana}]}\nexpect: [{fail: no customer reference}]",
        ),
    ] {
        compiled(&guardians(customer, set, test));
    }
}

#[test]
fn a_reference_carries_the_fields_for_creation() {
    let text = file(
        "",
        "customer:\n  find: [{username: s}]\n  on_missing: create\n  create: {skipTaxInvoice: t | bool, metadata: {k: n}}\nset: {name: s}",
    );
    let outcomes = mapped(&compiled(&text), FAMILY);
    let [ItemOutcome::Update(update)] = outcomes.as_slice() else {
        panic!("an update: {outcomes:?}");
    };
    assert_eq!(
        serde_json::to_string(&update.customer).unwrap(),
        r#"{"find":[{"username":"x"}],"onMissing":{"create":{"skipTaxInvoice":true,"metadata":[{"key":"k","value":"5"}]}}}"#
    );
}

#[test]
fn a_failing_test_says_what_the_new_customer_would_be() {
    let text = guardians(
        FOUND_BY_USERNAME,
        "name: name",
        "event: {guardians: [{id: G1, name: Ana}, {id: G2, name: Eva}, {id: G3, name: Leo}]}\nexpect:\n  - create: {username: tut-G1, name: Eva}\n  - customer: cus_2\n    patch: {name: Eva}\n  - retry: customer not found",
    );
    let (_, mut lines) = read(&text);
    lines.retain(|line| line.contains("map/test-failed"));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    m.yaml:23:36: error map/test-failed: test `t`: outcome 1: name: expected "Eva", got "Ana" (rule `r`)
    m.yaml:24:9: error map/test-failed: test `t`: outcome 2: customer: expected cus_2, got a new customer (rule `r`)
    m.yaml:24:9: error map/test-failed: test `t`: outcome 2: username: expected nothing, got "tut-G2" (rule `r`)
    m.yaml:26:9: error map/test-failed: test `t`: outcome 3: expected retry: customer not found, got a new customer: {"name":"Leo","username":"tut-G3"} (rule `r`)
    "#);
}

#[test]
fn creation_is_checked_when_the_file_is_loaded() {
    let mut told = Vec::new();
    for (customer, set) in [
        ("find: [{username: id}]\ncreate: {name: n}", "name: n"),
        (
            "find: [{username: id}]\non_missing: retry\ncreate: {name: n}",
            "name: n",
        ),
        ("id: id\non_missing: create", "name: n"),
        ("find: [{metadata.k: id}]\non_missing: create", "name: n"),
        (
            "find: [{username: id}]\non_missing: create",
            "email: e | email",
        ),
        (
            "find: [{username: id}]\non_missing: create\ncreate: {}",
            "name: n",
        ),
        (
            "find: [{username: id}]\non_missing: create\ncreate: [name]",
            "name: n",
        ),
        (
            "find: [{username: id}]\non_missing: create\ncreate:\n  nam: n\n  email: null\n  phoneNumber: p\n  secondaryPhoneNumber: {from: p | phone, on_null: clear}\n  assigneeId: {from: a, on_blank: clear}\n  emailVerified: true\n  metadata: {k: null}\n  meta: {k: k}\n  password: p",
            "name: n",
        ),
        ("find: [{username: id}]\non_missing: created", "name: n"),
    ] {
        let rule = format!("customer:\n{}set: {{{set}}}", indented(customer, "  "));
        let (_, lines) = read(&file("", &rule));
        told.push(format!(
            "{} / {set}\n{}\n",
            customer.replace('\n', " / "),
            lines.join("\n")
        ));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    find: [{username: id}] / create: {name: n} / name: n
    m.yaml:13:7: error map/rule-form: `create` is for new customers, and this rule creates none (write `on_missing: create`, or remove `create`)

    find: [{username: id}] / on_missing: retry / create: {name: n} / name: n
    m.yaml:14:7: error map/rule-form: `create` is for new customers, and this rule creates none (write `on_missing: create`, or remove `create`)

    id: id / on_missing: create / name: n
    m.yaml:13:19: error map/rule-form: a new customer must be found again by the next event (add `find` with a line `- username: …` or `- email: …`: the new customer gets that value)

    find: [{metadata.k: id}] / on_missing: create / name: n
    m.yaml:13:19: error map/rule-form: a new customer must be found again by the next event (add `find` with a line `- username: …` or `- email: …`: the new customer gets that value)

    find: [{username: id}] / on_missing: create / email: e | email
    m.yaml:13:19: error map/rule-form: a new customer needs a name (give `name` under `set`, or under `create`)

    find: [{username: id}] / on_missing: create / create: {} / name: n
    m.yaml:14:15: error map/rule-form: `create` is a map of fields, but here is an empty one (write `field: expression` lines below it)

    find: [{username: id}] / on_missing: create / create: [name] / name: n
    m.yaml:14:15: error map/rule-form: `create` is a map of fields, but here is a list (write `field: expression` lines below it)

    find: [{username: id}] / on_missing: create / create: /   nam: n /   email: null /   phoneNumber: p /   secondaryPhoneNumber: {from: p | phone, on_null: clear} /   assigneeId: {from: a, on_blank: clear} /   emailVerified: true /   metadata: {k: null} /   meta: {k: k} /   password: p / name: n
    m.yaml:15:9: error map/unknown-field: Quentli has no field `nam` (did you mean `name`?)
    m.yaml:16:16: error map/not-nullable: a new customer has no `email` to clear (leave the field out)
    m.yaml:17:22: error map/wrong-type: `phoneNumber` needs a phone number, but this gives whatever the event has there (add `| phone`)
    m.yaml:18:58: error map/not-nullable: a new customer has no `secondaryPhoneNumber` to clear (write `skip`, and the field is left out)
    m.yaml:19:41: error map/not-nullable: a new customer has no `assigneeId` to clear (write `skip`, and the field is left out)
    m.yaml:20:9: error map/guarded-field: `emailVerified` needs permission: it is the state of the customer's account (if this source owns it, add `allow: [emailVerified]` at the top of the file)
    m.yaml:21:23: error map/not-nullable: a new customer has no `metadata.k` to clear (leave the field out)
    m.yaml:22:9: error map/metadata-and-meta: `metadata` and `meta` are the same data in Quentli (put all keys under `metadata`)
    m.yaml:23:9: error map/guarded-field: a mapping never sets `password` (remove it: a customer's secret never comes from an event)

    find: [{username: id}] / on_missing: created / name: n
    m.yaml:13:19: error map/wrong-value: `on_missing` takes `retry`, `fail`, `drop` or `create` (did you mean `create`?)
    ");
}
