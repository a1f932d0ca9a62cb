// swift-tools-version: 6.1
import Foundation
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

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, resources: resources, swiftSettings: swiftSettings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")

var targets: [Target] = [
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
    tests("YuyanText", ["YuyanText"]),
    tests("YuyanData", ["YuyanData", "YuyanText"]),
    tests("YuyanModels", ["YuyanModels", "YuyanTensor"]),
    tests("YuyanTraining", ["YuyanTraining", "YuyanTensor", "YuyanModels", "YuyanData", "YuyanText"]),
    tests("YuyanGeneration", ["YuyanGeneration", "YuyanTensor", "YuyanModels", "YuyanText"]),
    tests("YuyanEvaluation", ["YuyanEvaluation", "YuyanTensor", "YuyanModels", "YuyanText"]),
    tests("YuyanRecipes", ["YuyanRecipes"]),
    tests("yuyan", ["yuyan"]),
]

// Scaffolding while the house is being built: only the targets that exist, or those named.
let only = Context.environment["YUYAN_ONLY"].map { Set($0.split(separator: " ").map(String.init)) }
targets = targets.filter { target in
    let folder = "\(Context.packageDirectory)/\(target.type == .test ? "Tests" : "Sources")/\(target.name)"
    return only?.contains(target.name) ?? FileManager.default.fileExists(atPath: folder)
}

let package = Package(
    name: "yuyan",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "yuyan", targets: ["yuyan"])].filter { _ in only == nil },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: targets,
    cxxLanguageStandard: .cxx20
)
