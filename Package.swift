// swift-tools-version: 6.1
import PackageDescription

/// libtorch: the copy that set-up installed, or the one that `YUYAN_TORCH` names (a folder with `include/` and `lib/`).
let torch = Context.environment["YUYAN_TORCH"] ?? "\(Context.packageDirectory)/.torch/torch"

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let torchSettings: [CXXSetting] = [
    .unsafeFlags([
        "-isystem", "\(torch)/include", "-isystem", "\(torch)/include/torch/csrc/api/include",
        "-O3", "-fno-math-errno", "-DNDEBUG", "-Wall", "-Wno-unknown-pragmas", "-Wno-deprecated-declarations",
    ])
]

let torchLinks: [LinkerSetting] = [
    .unsafeFlags(["-L\(torch)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(torch)/lib"]),
    .linkedLibrary("torch_cpu"), .linkedLibrary("c10"),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
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
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"]), .brew(["pcre2"])]),

    library("YuyanTensor", ["CTorch"]),
    library("YuyanText", ["CSentencePiece", "CPCRE2"]),
    library("YuyanData", ["YuyanText"]),
    library("YuyanModels", ["YuyanTensor"]),
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
    tests("YuyanData", ["YuyanData", "YuyanText"]),
    tests("YuyanModels", ["YuyanModels", "YuyanTensor"], fixtures: true),
    tests("YuyanTraining", ["YuyanTraining", "YuyanTensor", "YuyanModels", "YuyanData", "YuyanText"], fixtures: true),
    tests("YuyanGeneration", ["YuyanGeneration", "YuyanTensor", "YuyanModels", "YuyanText"], fixtures: true),
    tests("YuyanEvaluation", ["YuyanEvaluation", "YuyanTensor", "YuyanModels", "YuyanText", "YuyanData", "YuyanGeneration"]),
    tests("YuyanRecipes", ["YuyanRecipes"]),
    tests("yuyan", ["yuyan"]),
]

let package = Package(
    name: "yuyan",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "yuyan", targets: ["yuyan"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: targets,
    cxxLanguageStandard: .cxx20
)
