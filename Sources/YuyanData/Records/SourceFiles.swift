public import Foundation

/// The kinds of file that records are read from, by file name extension.
enum FileKind {
    case text, markdown, json, jsonLines, csv, tsv, warc

    /// The kind of the file itself or, behind `.gz` or `.zst`, of what is compressed in it.
    init?(_ file: URL) {
        let inner = Compression(file) == .none ? file : file.deletingPathExtension()
        switch inner.pathExtension.lowercased() {
        case "txt": self = .text
        case "md", "markdown": self = .markdown
        case "json": self = .json
        case "jsonl", "ndjson": self = .jsonLines
        case "csv": self = .csv
        case "tsv": self = .tsv
        case "warc", "wet": self = .warc
        default: return nil
        }
    }

    static let readable = ".txt, .md, .json, .jsonl, .csv, .tsv, .warc and .wet (also .gz and .zst)"
}

/// How a file is compressed, by file name extension.
enum Compression {
    case none, gzip, zstd

    init(_ file: URL) {
        switch file.pathExtension.lowercased() {
        case "gz": self = .gzip
        case "zst": self = .zstd
        default: self = .none
        }
    }
}

/// A file to be read, with what its records are called after.
struct SourceFile: Hashable {
    var url: URL
    /// The file's path below the folder that was named; the file's name where it was named itself.
    var name: String

    /// What `-` stands for.
    static let standardInput = SourceFile(url: URL(fileURLWithPath: "/dev/stdin"), name: "stdin")
}

/// The data files that `paths` name: a file stands for itself, a folder for every readable file in it and below, a pattern (`*`, `?`,
/// `[…]`) for what it matches, and `-` for the standard input. Hidden files are left out. The folder of a finished stage (it has `report.json`
/// and `documents/`) stands for its documents. Each path's files are sorted by name, so the order is the same everywhere.
public func dataFiles(_ paths: [String]) throws -> [URL] {
    try sourceFiles(paths).map(\.url)
}

func sourceFiles(_ paths: [String]) throws -> [SourceFile] {
    guard !paths.isEmpty else { throw DataError("no data files are named: give at least one file, folder or pattern") }
    guard paths.count(where: { $0 == "-" }) <= 1 else { throw DataError("the standard input (-) can be read only once") }
    var files = try paths.flatMap(sourceFiles(in:))
    tellApart(&files)
    return files
}

private func sourceFiles(in path: String) throws -> [SourceFile] {
    if path == "-" { return [.standardInput] }
    let expanded = (path as NSString).expandingTildeInPath
    if FileManager.default.fileExists(atPath: expanded) { return try filesAt(expanded, below: nil) }
    guard expanded.contains(where: isWildcard) else { throw DataError("\(path): no such file or folder") }
    let matches = glob(pattern: expanded)
    guard !matches.isEmpty else { throw DataError("\(path): no file matches this pattern") }
    // What all matches have in common for certain: the folders before the first wildcard.
    let fixed = expanded.prefix { !isWildcard($0) }
    let base = String(expanded[..<(fixed.lastIndex(of: "/").map { expanded.index(after: $0) } ?? expanded.startIndex)])
    return try matches.flatMap { try filesAt($0, below: base) }
}

private func isWildcard(_ character: Character) -> Bool { "*?[".contains(character) }

/// The file at this path, or those below it. `base` is the beginning of the path that names leave out; nil where the path was named as it is.
private func filesAt(_ path: String, below base: String?) throws -> [SourceFile] {
    let url = URL(fileURLWithPath: path)
    let name = base.map { String(path.dropFirst($0.count)) }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
        guard FileKind(url) != nil else { throw DataError("\(url.path): a file of this kind cannot be read, only \(FileKind.readable)") }
        return [SourceFile(url: url, name: name ?? url.lastPathComponent)]
    }
    let documents = url.appendingPathComponent("documents")
    let isStage =
        FileManager.default.fileExists(atPath: url.appendingPathComponent("report.json").path)
        && FileManager.default.fileExists(atPath: documents.path, isDirectory: &isFolder) && isFolder.boolValue
    return try filesBelow(isStage ? documents : url, name: name)
}

private func filesBelow(_ folder: URL, name: String?) throws -> [SourceFile] {
    let root = folder.resolvingSymlinksInPath()
    let entries = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isRegularFileKey], options: [.skipsHiddenFiles])
    var files: [SourceFile] = []
    let prefix = root.path.hasSuffix("/") ? root.path : root.path + "/"
    while let entry = entries?.nextObject() as? URL {
        guard FileKind(entry) != nil, (try? entry.resolvingSymlinksInPath().resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true
        else { continue }
        let below = entry.path.hasPrefix(prefix) ? String(entry.path.dropFirst(prefix.count)) : entry.lastPathComponent
        files.append(SourceFile(url: entry, name: name.map { $0 + "/" + below } ?? below))
    }
    guard !files.isEmpty else { throw DataError("\(folder.path): the folder holds no \(FileKind.readable) file") }
    return files.sorted { $0.url.path < $1.url.path }
}

/// Files of one name in different places get the names of their folders in front, as many as it takes to tell them apart.
private func tellApart(_ files: inout [SourceFile]) {
    var depth = 1
    while true {
        let paths = Dictionary(grouping: files.indices, by: { files[$0].name }).values
        let alike = paths.filter { Set($0.map { files[$0].url.path }).count > 1 }.flatMap(\.self)
        guard !alike.isEmpty else { return }
        for index in alike {
            let components = files[index].url.pathComponents.filter { $0 != "/" }
            let own = files[index].name.split(separator: "/").count
            files[index].name = components.suffix(own + 1).joined(separator: "/")
        }
        depth += 1
        if depth > 256 { return }  // the same file by two ways
    }
}

private func glob(pattern: String) -> [String] {
    var result = glob_t()
    defer { globfree(&result) }
    guard Foundation.glob(pattern, 0, nil, &result) == 0 else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { index in result.gl_pathv[index].map { String(cString: $0) } }.sorted()
}
