# Writes a text file as a C++ array of char: a string literal has a length limit, an array has none.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"frontend/prelude.h\"

namespace descent::frontend {
namespace {
constexpr char text[] = {
    ${bytes}'\\0'};
}
const std::string_view prelude_source{text, sizeof text - 1};
}  // namespace descent::frontend
")
