//! Dates and times in the forms that are read, and in those that are not.

use proptest::prelude::*;

use super::*;

fn read_as(form: Form, text: &str) -> Result<String, NotATime> {
    let format = Format::new(form, zone("America/Mexico_City").unwrap());
    format.read(text).map(written)
}

fn read(pattern: Option<&str>, text: &str) -> Result<String, NotATime> {
    let form = pattern.map(|pattern| Form::Pattern(Pattern::parse(pattern).unwrap()));
    read_as(form.unwrap_or(Form::Standard), text)
}

#[test]
fn the_standard_forms_are_read() {
    for (text, time) in [
        ("2025-01-15T10:30:00Z", "2025-01-15T10:30:00.000Z"),
        ("2025-01-15t10:30:00.123456z", "2025-01-15T10:30:00.123Z"),
        ("2025-01-15T04:30:00-06:00", "2025-01-15T10:30:00.000Z"),
        ("2025-01-15T04:30:00-0600", "2025-01-15T10:30:00.000Z"),
        ("2025-01-15T04:30:00", "2025-01-15T10:30:00.000Z"),
        (" 2025-01-15 04:30 ", "2025-01-15T10:30:00.000Z"),
        ("2025-01-15 04:30:00.5", "2025-01-15T10:30:00.500Z"),
        ("2025-01-15", "2025-01-15T06:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
        ("2025-01-15T10:30:00+0000", "2025-01-15T10:30:00.000Z"),
        ("2025-01-15 10:30:00 UTC", "2025-01-15T10:30:00.000Z"),
        ("2025-01-15 04:30:00 -0600", "2025-01-15T10:30:00.000Z"),
        ("2025-01-15T10:30:00,250Z", "2025-01-15T10:30:00.250Z"),
        ("20250115T103000Z", "2025-01-15T10:30:00.000Z"),
        ("20250115T0430", "2025-01-15T10:30:00.000Z"),
        ("20250115T043000.5-06", "2025-01-15T10:30:00.500Z"),
        ("/Date(1736937000123)/", "2025-01-15T10:30:00.123Z"),
        ("/Date(1736937000123-0600)/", "2025-01-15T10:30:00.123Z"),
        ("/Date(-1500)/", "1969-12-31T23:59:58.500Z"),
    ] {
        assert_eq!(read(None, text).as_deref(), Ok(time), "{text}");
    }
    for text in [
        "2025-1-15",
        "2025-02-30",
        "2025-01-15T25:00",
        "2025-01-15T10",
        "2025-01-15T10:30:61Z",
        "2025-01-15T10:30:00+25:00",
        "2025-01-15T10:30:00Zx",
        "2025-01-15T10:30:00.Z",
        "15/13/2025",
        "yesterday",
        "2025",
        "20250115",
        "202501151030",
        "2025-0115",
        "20250115T10",
        "/Date()/",
        "/Date(1736937000123)",
        "/Date(1e3)/",
        "/Date(1736937000123+06:00x)/",
        "/Date(99999999999999999999)/",
    ] {
        assert_eq!(read(None, text), Err(NotATime::Form), "{text}");
    }
}

#[test]
fn patterns_are_read() {
    for (pattern, text, time) in [
        (
            "DD/MM/YYYY HH:mm",
            "15/01/2025 04:30",
            "2025-01-15T10:30:00.000Z",
        ),
        ("DD/MM/YYYY", "5/1/2025", "2025-01-05T06:00:00.000Z"),
        ("YYYYMMDD", "20250115", "2025-01-15T06:00:00.000Z"),
        (
            "YYYY-MM-DDTHH:mm:ss.SSSZ",
            "2025-01-15T04:30:00.007-06",
            "2025-01-15T10:30:00.007Z",
        ),
        ("D/M/YYYY", "15/01/2025", "2025-01-15T06:00:00.000Z"),
        ("D/M/YY", "5/1/25", "2025-01-05T06:00:00.000Z"),
        ("DDMMYY", "050168", "2068-01-05T06:00:00.000Z"),
        ("DDMMYY", "050169", "1969-01-05T06:00:00.000Z"),
        ("DD-MMM-YYYY", "15-ENE-2025", "2025-01-15T06:00:00.000Z"),
        ("DD.MMM.YYYY", "15.ene.2025", "2025-01-15T06:00:00.000Z"),
        ("MMM D, YYYY", "Jan. 15, 2025", "2025-01-15T06:00:00.000Z"),
        (
            "D [de] MMMM [de] YYYY, H:mm",
            "5 de septiembre  de 2025, 4:30",
            "2025-09-05T10:30:00.000Z",
        ),
        (
            "DD/MM/YYYY hh:mm A",
            "15/01/2025 04:30 p.\u{a0}m.",
            "2025-01-15T22:30:00.000Z",
        ),
        (
            "DD/MM/YYYY h:mmA",
            "15/01/2025 12:30am",
            "2025-01-15T06:30:00.000Z",
        ),
    ] {
        assert_eq!(read(Some(pattern), text).as_deref(), Ok(time), "{text}");
    }
    for (pattern, text) in [
        ("DD/MM/YYYY", "2025-01-15"),
        ("DD/MM/YYYY", "15/13/2025"),
        ("YYYYMMDD", "2025115"),
        ("DD/MM/YYYY h:mm A", "15/01/2025 16:30 AM"),
        ("DD/MM/YYYY h:mm A", "15/01/2025 0:30 PM"),
        ("DD MMM YYYY", "15 enex 2025"),
        ("D [de] MMMM [de] YYYY", "15 enero 2025"),
        ("DD/MM/YYYY", "15/01/2025 "),
    ] {
        let read = read(Some(pattern), text);
        assert_eq!(read.is_err(), text != "15/01/2025 ", "{text}: {read:?}");
    }
    for (pattern, message) in [
        ("DD/MM/Y", "the pattern has no letter `Y`"),
        ("DD/MM/YYYY KK:mm", "the pattern has no letter `K`"),
        ("DD/MM/YYYY hh:mm", "`h` counts to twelve"),
        ("DD/MM/YYYY HH:mm A", "`A` goes with `h`"),
        (
            "DD/MM/MMM YYYY",
            "`MM` and `MMM` in the pattern give the same",
        ),
        ("DMMYYYY", "where `D` ends is unclear"),
        ("DD [de MM YYYY", "a `[` in the pattern is never closed"),
        ("MM/YYYY", "the pattern lacks `DD`"),
        ("DD/MM/YYYY DD", "`DD` stands twice in the pattern"),
    ] {
        let error = Pattern::parse(pattern).unwrap_err();
        assert!(error.starts_with(message), "{pattern}: {error}");
    }
}

#[test]
fn dates_with_the_day_first_are_read() {
    for (text, time) in [
        ("15/1/2025", "2025-01-15T06:00:00.000Z"),
        ("15-01-2025 04:30", "2025-01-15T10:30:00.000Z"),
        ("15.01.2025 4:30 p. m.", "2025-01-15T22:30:00.000Z"),
        ("15/01/2025 4:30:05 PM", "2025-01-15T22:30:05.000Z"),
        ("15/01/2025 12:00 a.m.", "2025-01-15T06:00:00.000Z"),
        ("15/01/2025, 4 pm", "2025-01-15T22:00:00.000Z"),
        ("15/01/2025 16:30 p.m.", "2025-01-15T22:30:00.000Z"),
        ("15/01/2025 16:30 hrs.", "2025-01-15T22:30:00.000Z"),
        ("15/01/2025T04:30:00.5-05:00", "2025-01-15T09:30:00.500Z"),
        ("15 de enero de 2025", "2025-01-15T06:00:00.000Z"),
        ("1º de Enero del 2025", "2025-01-01T06:00:00.000Z"),
        (
            "15 de enero de 2025 a las 4:30\u{202f}p.\u{a0}m.",
            "2025-01-15T22:30:00.000Z",
        ),
        ("15 enero 2025, 16:30 h", "2025-01-15T22:30:00.000Z"),
        ("15-ene-2025", "2025-01-15T06:00:00.000Z"),
        ("15/ENE/2025 04:30", "2025-01-15T10:30:00.000Z"),
        ("15.ene.2025", "2025-01-15T06:00:00.000Z"),
        ("5 ene. 2025", "2025-01-05T06:00:00.000Z"),
        ("15 Jan 2025", "2025-01-15T06:00:00.000Z"),
        ("15 setiembre 2025", "2025-09-15T06:00:00.000Z"),
        // The year first leaves no doubt either.
        ("2025-01-15 04:30", "2025-01-15T10:30:00.000Z"),
    ] {
        assert_eq!(read_as(Form::DayFirst, text).as_deref(), Ok(time), "{text}");
    }
    for text in [
        "15/01/25",
        "31/02/2025",
        "1/15/2025",
        "15/01-2025",
        "15/01/2025 25:00",
        "15/01/2025 4",
        "15/01/2025 16:30 a.m.",
        "15/01/20255",
        "15 de enex de 2025",
        "enero 15, 2025",
        "15enero2025",
        "15 de enero",
        "15/01/2025 a 4:30",
        "15/01/2025 4:30 Hora",
        "15 / 01 / 2025",
        "",
    ] {
        let read = read_as(Form::DayFirst, text);
        assert_eq!(read, Err(NotATime::Form), "{text}");
    }
}

#[test]
fn who_expects_the_year_first_is_told_of_a_date_with_the_day_first() {
    assert_eq!(read(None, "15/01/2025"), Err(NotATime::DayFirst));
    let format = |form| Format::new(form, TimeZone::UTC);
    let pattern = Pattern::parse("DD/MM/YYYY").unwrap();
    for (form, fault, message) in [
        (
            Form::Standard,
            NotATime::DayFirst,
            "'x' is not a date and time; where the day comes first, use `day_first`",
        ),
        (
            Form::DayFirst,
            NotATime::Form,
            "'x' is not a date with the day first",
        ),
        (
            Form::Pattern(pattern),
            NotATime::Form,
            "'x' is not a date of the form DD/MM/YYYY",
        ),
    ] {
        assert_eq!(format(form).describe(fault, "'x'"), message);
    }
}

#[test]
fn a_skipped_hour_is_an_error_and_a_doubled_one_means_the_first() {
    let zone = zone("America/New_York").unwrap();
    let format = Format::new(Form::Standard, zone);
    assert_eq!(format.read("2025-03-09T02:30"), Err(NotATime::Skipped));
    let doubled = format.read("2025-11-02T01:30").map(written);
    assert_eq!(doubled.as_deref(), Ok("2025-11-02T05:30:00.000Z"));
}

#[test]
fn numbers_since_1970_are_read() {
    for (number, unit, time) in [
        ("1736937000", 1000, Some("2025-01-15T10:30:00.000Z")),
        ("1736937000123", 1, Some("2025-01-15T10:30:00.123Z")),
        ("1736937000.5", 1000, Some("2025-01-15T10:30:00.500Z")),
        ("-1.5", 1000, Some("1969-12-31T23:59:58.500Z")),
        ("1.7e9", 1000, Some("2023-11-14T22:13:20.000Z")),
        ("1736937000123", 1000, None),
        ("1e300", 1000, None),
    ] {
        assert_eq!(unix(number, unit).map(written).as_deref(), time, "{number}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(milliseconds in -62_167_219_200_000_i64..253_402_300_799_000) {
        let time = Timestamp::from_millisecond(milliseconds).unwrap();
        let format = Format::new(Form::Standard, TimeZone::UTC);
        prop_assert_eq!(format.read(&written(time)), Ok(time));
    }

    #[test]
    fn any_text_is_a_time_or_not(text in "[0-9TZ:+. /-]{0,30}|/Date\\([0-9+-]{0,20}\\)/|[0-9]{1,2}[ /.-](de )?[a-z]{3,5}[ /.-][0-9]{4}[0-9a-z .:]{0,12}") {
        for form in [Form::Standard, Form::DayFirst] {
            let _read: Result<_, NotATime> = Format::new(form, TimeZone::UTC).read(&text);
        }
    }

    #[test]
    fn any_pattern_is_refused_or_reads_any_text(pattern in "(YYYY|MM|DD|D|M|MMM|HH|h|A|[ /\\[\\]T]){3,8}", text in "[0-9a-z/. ]{0,24}") {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            let _read: Result<_, NotATime> = Format::new(Form::Pattern(pattern), TimeZone::UTC).read(&text);
        }
    }
}
