# Writes the prelude as a C++ array: a string literal has a length limit in some compilers, an array has none.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(..)" "char(0x\\1)," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"frontend/prelude.h\"\n
namespace descent::frontend {\n
static constexpr char text[] = {${bytes} 0};\n
const std::string_view prelude_source{text, sizeof text - 1};\n
}\n")
