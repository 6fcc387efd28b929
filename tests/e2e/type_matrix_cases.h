#pragma once

#include <string>
#include <vector>

/// What tests/e2e/type_matrix_test.cpp sends around: the types of both engines with their edge values, as SQL in the leader's dialect.
namespace rowferry::test {

/// How a PostgreSQL value has to look in SQLite.
enum class Form { integer, boolean, real, bytes, text };

struct PgTypeCase {
    std::string type;                 ///< As the column is declared.
    std::string edges;                ///< For the document: what the values are, beside NULL.
    std::vector<std::string> values;  ///< Expressions; half of them are there before the stream starts.
    Form form = Form::text;
};

struct SqliteTypeCase {
    std::string declared;
    std::string edges;
    std::vector<std::string> before;  ///< There before the stream starts.
    std::vector<std::string> after;
    bool strict = false;
};

/// Extensions and types of their own that the PostgreSQL cases need.
inline const char* const kPgTypes =
    "CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION hstore SCHEMA public; CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s', 'ü, \"quoted\"');"
    "CREATE DOMAIN positive AS integer CHECK (VALUE > 0); CREATE DOMAIN small AS positive CHECK (VALUE < 100);"
    "CREATE TYPE pair AS (a integer, \"B b\" text); CREATE TYPE nested AS (p pair, many pair[]); CREATE TYPE floatrange AS RANGE (subtype = float8)";

inline std::vector<std::string> quoted(const std::vector<std::string>& texts) {
    std::vector<std::string> literals;
    for (const std::string& text : texts) {
        std::string literal = "'";
        for (const char c : text) literal += c == '\'' ? std::string{"''"} : std::string(1, c);
        literals.push_back(literal + "'");
    }
    return literals;
}

inline const std::vector<PgTypeCase>& pg_type_cases() {
    static const std::string all_unicode =
        "(SELECT string_agg(chr(i), '' ORDER BY i) FROM generate_series(1, 1114111) AS i WHERE i NOT BETWEEN 55296 AND 57343)";
    static const std::string all_bytes = "(SELECT decode(string_agg(lpad(to_hex(i), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(0, 255) AS i)";
    static const std::string long_number = "(repeat('9', 83617) || '.5' || repeat('0', 16382))::numeric";
    static const std::vector<PgTypeCase> cases = {
        {"smallint", "limits", {"-32768", "32767", "0"}, Form::integer},
        {"integer", "limits", {"-2147483648", "2147483647", "0"}, Form::integer},
        {"bigint", "limits", {"'-9223372036854775808'", "9223372036854775807", "0"}, Form::integer},
        {"oid", "limits", {"0", "4294967295", "2147483648"}, Form::integer},
        {"boolean", "both", {"true", "false"}, Form::boolean},
        {"real", "NaN, infinities, -0, denormal, limits, 0.1", quoted({"NaN", "0.1", "-0", "1e-45", "3.4028235e+38", "Infinity", "-Infinity", "-0", "NaN", "16777216"}), Form::real},
        {"double precision", "NaN, infinities, -0, denormal, limits, 0.1", quoted({"0.1", "NaN", "-0", "5e-324", "1.7976931348623157e308", "Infinity", "-Infinity", "-0", "2.2250738585072014e-308", "NaN", "9007199254740993"}), Form::real},
        {"numeric", "100,000 digits with trailing zeros, NaN, infinities, 0.00", {"1.50", "'NaN'", long_number, "'0.00'", "'-0.000000001'", "'Infinity'", "'-Infinity'", long_number, "'100'"}},
        {"numeric(20,8)", "scale kept", {"1.5", "'-999999999999.99999999'", "0", "'NaN'"}},
        {"numeric(5,-2)", "negative scale", {"12345", "-9999949"}},
        {"money", "limits", quoted({"-92233720368547758.08", "92233720368547758.07", "0", "-1.5"})},
        {"text", "empty, every character but NUL, 4 MB", {"''", all_unicode, "E'line\\nbreak\\ttab\\\\ \\x01\\x7f'", "'NULL'", "'\\N'", "'ünï🚢'"}},
        {"character varying", "empty, trailing spaces", {"''", "'a  '", "'ü'"}},
        {"character varying(5)", "full length", {"''", "'ü🚢345'", "'12345'"}},
        {"character(5)", "padded, full length", {"'a'", "'ü🚢345'", "''"}},
        {"bpchar", "trailing spaces", {"'a  '", "'b'", "''"}},
        {"\"char\"", "empty, one byte", {"'a'", "''", "'\"'"}},
        {"name", "63 bytes", {"'a'", "repeat('n', 63)", "''"}},
        {"citext", "both cases", {"'Ab'", "'aB'", "''"}},
        {"xml", "document, fragment, entities", {"'<a b=\"1\">&lt;&#252;</a>'", "'text'", "'<!-- c --> <r/>'"}},
        {"json", "duplicate keys, spaces, number forms", {R"('{"a": 1,  "a":2.50}')", "' [1e2 , null] '", R"('"\u0041"')", "'1.0'"}},
        {"jsonb", "duplicate keys, large numbers", {R"('{"b": 1, "a":2.50, "a": 3.00}')", "'[1e2, null]'", "'12345678901234567890.10'", "'\"\"'"}},
        {"uuid", "limits", quoted({"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"})},
        {"bytea", "empty, every byte", {"''", all_bytes, "'\\x00'", "'\\x5c27'"}, Form::bytes},
        {"date", "BC, year 5874897, infinities", quoted({"2024-02-29", "4714-11-24 BC", "infinity", "5874897-12-31", "-infinity", "0044-03-15 BC", "0001-01-01"})},
        {"time without time zone", "24:00, microseconds", quoted({"00:00", "24:00", "23:59:59.999999", "12:30:00.5"})},
        {"time(3) without time zone", "24:00, milliseconds", quoted({"24:00", "23:59:59.999", "12:30:00.5"})},
        {"time with time zone", "24:00, zones to the second", quoted({"00:00+15:59:59", "24:00-15:59:59", "12:30:00.5+05:30", "12:00Z"})},
        {"timestamp without time zone", "BC, year 294276, infinities", quoted({"2024-02-29 12:00", "4714-11-24 00:00 BC", "infinity", "294276-12-31 23:59:59.999999", "-infinity", "0044-03-15 12:30:00.5 BC", "10000-01-01"})},
        {"timestamp with time zone", "BC, year 294276, infinities, other zones", quoted({"infinity", "-infinity", "2024-07-01 12:00+05:30", "4714-11-24 00:00Z BC", "294276-12-31 23:59:59.999999Z", "2024-03-31 02:30:00.000001-11", "infinity"})},
        {"timestamp(0) with time zone", "whole seconds", quoted({"2024-07-01 12:00:00.6Z", "1969-12-31 23:59:59Z"})},
        {"interval", "limits, mixed signs, microseconds", quoted({"178956970 years 7 mons", "-178956970 years", "1 mon -1 day 00:00:00.000001", "-00:00:01", "0", "2147483647 days"})},
        {"interval day to second(3)", "milliseconds", quoted({"1 day 02:03:04.5678", "-1 day"})},
        {"mood", "quotes in labels", quoted({"sad", "it's", "ü, \"quoted\"", "ok"})},
        {"small", "domain over a domain", {"1", "99", "50"}, Form::integer},
        {"pair", "NULL and quotes in fields", {"ROW(1, 'a')", "ROW(NULL, '')", "ROW(-1, E'\"\\\\,()')", "ROW(NULL, NULL)"}},
        {"nested", "composites in arrays in composites", {"ROW(ROW(1, 'a'), ARRAY[ROW(2, 'b')::pair, NULL])", "ROW(NULL, '{}')"}},
        {"integer[]", "NULLs, empty, dimensions, lower bounds", quoted({"{}", "{1,NULL,-3}", "[5:6]={1,2}", "{{1,2},{3,4}}", "[0:0][-1:0]={{7,8}}"})},
        {"text[]", "NULL against 'NULL', quotes", quoted({"{}", R"({NULL,"NULL","",a b,"\"","\\"})", R"({{ü,"{}"},{",","\n"}})"})},
        {"numeric(10,2)[]", "scale kept", quoted({"{1.5,NaN}", "{}"})},
        {"timestamp with time zone[]", "infinity, BC", quoted({"{infinity,2024-01-01 00:00Z}", "{\"0044-03-15 00:00Z BC\"}"})},
        {"pair[]", "composites", quoted({"{\"(1,a)\",NULL}", "{}"})},
        {"int4range", "empty, unbounded", quoted({"empty", "[1,5)", "(,)", "[-2147483648,]"})},
        {"int8range", "empty, unbounded", quoted({"empty", "[1,5)", "(,9223372036854775806]"})},
        {"numrange", "bounds of every kind", quoted({"empty", "(1.50,2.0]", "[0,)", "(,-1.0)"})},
        {"tsrange", "infinity", quoted({"empty", "[2024-01-01 00:00,infinity]", "(,)"})},
        {"tstzrange", "infinity", quoted({"empty", "[2024-01-01 00:00Z,infinity)", "(,)"})},
        {"daterange", "empty, unbounded", quoted({"empty", "[2024-01-01,2024-02-01]", "(,)"})},
        {"floatrange", "a range type of its own", quoted({"empty", "[-0,Infinity]", "(0.1,0.2)"})},
        {"int4multirange", "empty, several", quoted({"{}", "{[1,3),[5,7)}", "{(,)}"})},
        {"nummultirange", "several", quoted({"{}", "{[1.0,1.50),(2,)}"})},
        {"tstzmultirange", "several", quoted({"{}", "{[2024-01-01 00:00Z,2024-01-02 00:00Z)}"})},
        {"datemultirange", "several", quoted({"{}", "{[2024-01-01,2024-01-05)}"})},
        {"bit(8)", "leading zeros", {"B'00000000'", "B'10101010'", "B'11111111'"}},
        {"bit varying(16)", "empty, leading zeros", {"B''", "B'0001'", "B'1111111111111111'"}},
        {"inet", "both families, masks", quoted({"0.0.0.0/0", "192.168.1.5/24", "::ffff:1.2.3.4", "fe80::1/64", "255.255.255.255"})},
        {"cidr", "both families", quoted({"10.0.0.0/8", "::/0", "2001:db8::/32"})},
        {"macaddr", "limits", quoted({"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"})},
        {"macaddr8", "limits", quoted({"00:00:00:00:00:00:00:00", "08:00:2b:01:02:03:04:05"})},
        {"point", "-0, NaN, infinities", quoted({"(-0,0.1)", "(NaN,Infinity)", "(5e-324,1e308)"})},
        {"line", "ordinary", quoted({"{1,-1,0}", "{0,1,0.1}"})},
        {"lseg", "ordinary", quoted({"[(0,0),(1,0.1)]", "[(-0,0),(Infinity,1)]"})},
        {"box", "ordinary", quoted({"(1,1),(0,0)", "(0.1,0.2),(-1,-2)"})},
        {"path", "open and closed", quoted({"[(0,0),(1,1)]", "((0,0),(0.1,1),(2,0))"})},
        {"polygon", "ordinary", quoted({"((0,0),(0.1,1),(2,0))", "((0,0))"})},
        {"circle", "ordinary", quoted({"<(0,0),1>", "<(0.1,-0),0>"})},
        {"tsvector", "weights, quotes", quoted({"", "'a':1A,2B 'it''s':3", "'ü \\\\ x'"})},
        {"tsquery", "operators", quoted({"", "'a' & !'b' | 'c':*A", "'a' <2> 'b'"})},
        {"jsonpath", "ordinary", quoted({"$", "strict $.a[*] ? (@ > 1.50)"})},
        {"hstore", "NULL against 'NULL', quotes", quoted({"", R"("a"=>NULL, "b"=>"NULL", "c\"d"=>"")"})},
        {"hstore[]", "an array of an extension's type", quoted({"{}", R"({"\"a\"=>\"1\"",NULL})"})},
        {"pg_lsn", "limits", quoted({"0/0", "FFFFFFFF/FFFFFFFF"})},
        {"xid8", "limits", quoted({"0", "18446744073709551615"})},
        {"tid", "ordinary", quoted({"(0,1)", "(4294967295,65535)"})},
        {"pg_snapshot", "ordinary", quoted({"10:20:10,14,15", "1:1:"})},
        {"regtype", "by its name", quoted({"integer", "text"})},
        {"oidvector", "empty, several", quoted({"", "1 4294967295"})},
    };
    return cases;
}

inline const std::vector<SqliteTypeCase>& sqlite_type_cases() {
    static const std::string every_byte = [] {
        std::string blob = "x'";
        for (int i = 0; i < 256; ++i) {
            blob += "0123456789abcdef"[i / 16];
            blob += "0123456789abcdef"[i % 16];
        }
        return blob + "'";
    }();
    static const std::string least = "(-9223372036854775807 - 1)";
    static const std::string minus_zero = "(0.0 * -1)";
    static const std::string raw = "CAST(x'ff41ed' AS TEXT)";
    static const std::string with_nul = "CAST(x'610062' AS TEXT)";
    static const std::vector<SqliteTypeCase> cases = {
        {"", "integers, reals, texts, blobs in one column; NUL, invalid UTF-8, -0, infinities", {"1", "0.1", "'1'", "x'31'", "'i:1'"},
         {least, "1.0", minus_zero, "9e999", "''", "x''", raw, with_nul, "9223372036854775807", "'ü🚢'"}},
        {"", "nothing before the stream, then every class", {}, {"1", "0.1", "''", "x''", least}},
        {"ANY", "STRICT: nothing before the stream, then every class", {}, {"1.0", "'a'", "x'00'"}, true},
        {"NUMERIC", "nothing before the stream", {}, {"1", "1.5", least}},
        {"", "integers only", {"1", least}, {"9223372036854775807", "0"}},
        {"", "reals only; -0, infinities, denormal", {"0.1", minus_zero}, {"9e999", "-9e999", "4.9e-324", "1.0", "1e18"}},
        {"", "texts only", {"'a'", "''"}, {"'1'", "'ü🚢'"}},
        {"", "blobs only", {"x'00'"}, {"x''", every_byte}},
        {"INTEGER", "limits", {"1", least}, {"9223372036854775807", "0"}},
        {"INTEGER", "fractions, beyond 64 bits", {"1", "1.5"}, {"9223372036854775808.0", "0.1", "-9223372036854775808.0", least, "1e300"}},
        {"INTEGER", "text and blobs among integers", {"1", "'abc'", "x'00'"}, {"'12a'", "2.5", least, "9e999"}},
        {"BIGINT UNSIGNED", "limits", {"1"}, {least, "9223372036854775807"}},
        {"REAL", "infinities, denormal, limits, NaN as text", {"0.1", "9e999"}, {"-9e999", "4.9e-324", "1.7976931348623157e308", "7", "'NaN'"}},
        {"DOUBLE PRECISION", "text and blobs among reals", {"0.1", "'abc'"}, {"x'00'", "7", "''"}},
        {"TEXT", "empty, odd characters, digits", {"''", "'a'"}, {"'007'", "'1e3'", "'ü🚢' || char(1, 127, 8232, 65534)", "'NULL'"}},
        {"TEXT", "NUL and invalid UTF-8", {"'a'", with_nul}, {raw, "''", "'x:00'"}},
        {"TEXT", "blobs among texts", {"'a'", "x'61'"}, {"x''", "''", with_nul}},
        {"VARCHAR(5)", "longer than declared", {"'123456789'"}, {"''", "'ü'"}},
        {"BLOB", "empty, every byte", {"x''"}, {every_byte, "x'00'"}},
        {"BLOB", "every class", {"x'61'", "'a'", "1"}, {"1.0", "''", "x''"}},
        {"NUMERIC", "integers and reals, limits, NaN as text", {"1", "1.5"}, {least, "9223372036854775807", "-9223372036854775808.0", "9e999", "0.1", "1e23", "'NaN'", "4.9e-324"}},
        {"DECIMAL(10,2)", "ordinary", {"19.99", "20"}, {"0.1", "-0.005", "12345678901234"}},
        {"DECIMAL(10,2)", "texts among numbers", {"19.99", "'n/a'"}, {"20", "''", "x'00'"}},
        {"BOOLEAN", "0 and 1", {"0", "1"}, {"1", "0"}},
        {"BOOLEAN", "other integers", {"0", "2"}, {"-1", "1"}},
        {"DATE", "dates", {"'2024-02-29'", "'0001-01-01'"}, {"'9999-12-31'", "'infinity'", "'0044-03-15 BC'"}},
        {"DATE", "other forms", {"'29.02.2024'", "'2024-2-9'"}, {"''", "'2024-02-29'"}},
        {"DATE", "integers", {"20240229"}, {"0", "-1"}},
        {"TIME", "times", {"'00:00:00'", "'23:59:59.999999'"}, {"'24:00:00'"}},
        {"DATETIME", "timestamps", {"'2024-02-29 12:00:00'"}, {"'0001-01-01 00:00:00.5'", "'294276-12-31 23:59:59'"}},
        {"DATETIME", "ISO with T, no seconds", {"'2024-02-29T12:00:00Z'", "'2024-02-29 12:00'"}, {"'2024-02-29 12:00:00'"}},
        {"DATETIME", "texts, epochs and Julian days", {"'2024-02-29 12:00:00'", "1700000000"}, {"2460000.5", "''"}},
        {"TIMESTAMPTZ", "in UTC", {"'2024-02-29 12:00:00+00'"}, {"'0044-03-15 00:00:00+00 BC'", "'infinity'"}},
        {"UUID", "lower case", {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}, {"'00000000-0000-0000-0000-000000000000'"}},
        {"UUID", "upper case, blobs", {"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'"}, {"''"}},
        {"JSON", "duplicate keys, spaces", {R"('{"a": 1,  "a":2.50}')", "' [1e2 , null] '"}, {R"('"\u0041"')", "'{}'"}},
        {"JSON", "not JSON", {"'{a:1}'"}, {"''", "'[1]'"}},
        {"STRING", "a name SQLite does not know", {"'a'"}, {"'b'", "''"}},
        {"ANY", "STRICT: every class", {"1", "'1'", "1.0", "x'31'"}, {minus_zero, raw, "''", least}, true},
        {"INT", "STRICT", {"1"}, {least, "9223372036854775807"}, true},
        {"REAL", "STRICT", {"0.1"}, {"7", "9e999"}, true},
        {"TEXT", "STRICT", {"'a'"}, {"''", "'1'"}, true},
        {"BLOB", "STRICT", {"x'00'"}, {"x''"}, true},
    };
    return cases;
}

}  // namespace rowferry::test
