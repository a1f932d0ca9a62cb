// swift-tools-version: 6.1
import PackageDescription

/// libtorch: the copy that set-up installed, or the one that `YUYAN_TORCH` names (a folder with `include/` and `lib/`).
let torch = Context.environment["YUYAN_TORCH"] ?? "\(Context.packageDirectory)/.torch/torch"

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Set by `make sanitize`, which wants the kernels and their tests alone (all test targets are one program), compiled for the instruction set of
/// this name, since from several the loader would take the best; empty where there is but one.
let sanitized = Context.environment["YUYAN_SANITIZE"]
let instructions = sanitized.map { ["-DYY_CLONES=" + ($0.isEmpty ? "" : "__attribute__((target(\"arch=\($0)\")))")] } ?? []

let torchSettings: [CXXSetting] = [
    .unsafeFlags(
        [
            "-isystem", "\(torch)/include", "-isystem", "\(torch)/include/torch/csrc/api/include",
            "-O3", "-fno-math-errno", "-DNDEBUG", "-Wall", "-Wno-unknown-pragmas", "-Wno-deprecated-declarations",
        ] + instructions)
]

let torchLinks: [LinkerSetting] = [
    .unsafeFlags(["-L\(torch)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(torch)/lib"]),
    .linkedLibrary("torch_cpu"), .linkedLibrary("c10"),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

/// utf8proc's pkg-config file asks for a flag that the package manager refuses; without one the compiler's own paths are searched.
func systemLibrary(_ name: String, pkgConfig: String?, apt: String, brew: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt]), .brew([brew])])
}

/// Golden files lie in `Fixtures/` beside the scripts that make them; tests find them by the path of their own source.
func tests(_ name: String, _ dependencies: [Target.Dependency], fixtures: Bool = false) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, exclude: fixtures ? ["Fixtures"] : [], swiftSettings: swiftSettings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let targets: [Target] = [
    .target(name: "CTorch", cxxSettings: torchSettings, linkerSettings: torchLinks),
    .target(name: "CSentencePiece", linkerSettings: [.linkedLibrary("sentencepiece"), .linkedLibrary("sentencepiece_train")]),
    // What the data foundry takes from C++ libraries (simdjson, fastText), and its vectorised kernels.
    .target(
        name: "CData", cxxSettings: [.unsafeFlags(["-O3", "-Wall"])], linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("fasttext")]),
    systemLibrary("CPCRE2", pkgConfig: "libpcre2-8", apt: "libpcre2-dev", brew: "pcre2"),
    systemLibrary("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev", brew: "zlib"),
    systemLibrary("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev", brew: "zstd"),
    systemLibrary("CXML2", pkgConfig: "libxml-2.0", apt: "libxml2-dev", brew: "libxml2"),
    systemLibrary("CUTF8Proc", pkgConfig: nil, apt: "libutf8proc-dev", brew: "utf8proc"),
    systemLibrary("COpenCC", pkgConfig: "opencc", apt: "libopencc-dev", brew: "opencc"),

    library("YuyanTensor", ["CTorch"]),
    library("YuyanText", ["CSentencePiece", "CPCRE2"]),
    library("YuyanData", ["YuyanText", "CData", "CZlib", "CZstd", "CXML2", "CUTF8Proc", "COpenCC"]),
    library("YuyanModels", ["YuyanTensor", "CZlib"]),
    library("YuyanTraining", ["YuyanTensor", "YuyanText", "YuyanData", "YuyanModels"]),
    library("YuyanGeneration", ["YuyanTensor", "YuyanText", "YuyanModels"]),
    library("YuyanEvaluation", ["YuyanTensor", "YuyanText", "YuyanData", "YuyanModels", "YuyanGeneration"]),
    library(
        "YuyanRecipes",
        ["YuyanTensor", "YuyanText", "YuyanData", "YuyanModels", "YuyanTraining", "YuyanGeneration", "YuyanEvaluation", yams]),
    .executableTarget(
        name: "yuyan",
        dependencies: [
            "YuyanTensor", "YuyanText", "YuyanData", "YuyanModels", "YuyanTraining", "YuyanGeneration", "YuyanEvaluation",
            "YuyanRecipes", argumentParser,
        ],
        swiftSettings: swiftSettings),

    tests("YuyanTensor", ["YuyanTensor"]),
    tests("YuyanText", ["YuyanText"], fixtures: true),
    tests("YuyanData", ["YuyanData", "YuyanText", "CData"]),
    tests("YuyanModels", ["YuyanModels", "YuyanTensor"], fixtures: true),
    tests("YuyanTraining", ["YuyanTraining", "YuyanTensor", "YuyanModels", "YuyanData", "YuyanText"], fixtures: true),
    tests("YuyanGeneration", ["YuyanGeneration", "YuyanTensor", "YuyanModels", "YuyanText"], fixtures: true),
    tests("YuyanEvaluation", ["YuyanEvaluation", "YuyanTensor", "YuyanModels", "YuyanText", "YuyanData", "YuyanGeneration"], fixtures: true),
    tests("YuyanRecipes", ["YuyanRecipes"]),
    tests("yuyan", ["yuyan", "YuyanData", "YuyanText"]),
]

let package = Package(
    name: "yuyan",
    platforms: [.macOS(.v15)],
    products: sanitized == nil ? [.executable(name: "yuyan", targets: ["yuyan"])] : [],
    dependencies: sanitized == nil
        ? [
            .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
            .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        ] : [],
    targets: sanitized == nil ? targets : targets.filter { ["CTorch", "YuyanTensor", "YuyanTensorTests"].contains($0.name) },
    cxxLanguageStandard: .cxx20
)
