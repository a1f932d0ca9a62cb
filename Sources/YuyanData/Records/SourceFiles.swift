public import Foundation

/// The kinds of file that records are read from, by file name extension.
enum FileKind {
    case text, markdown, json, jsonLines, csv, tsv

    init?(_ file: URL) {
        switch file.pathExtension.lowercased() {
        case "txt": self = .text
        case "md", "markdown": self = .markdown
        case "json": self = .json
        case "jsonl", "ndjson": self = .jsonLines
        case "csv": self = .csv
        case "tsv": self = .tsv
        default: return nil
        }
    }

    static let readable = ".txt, .md, .json, .jsonl, .csv and .tsv"
}

/// The data files that `paths` name: a file stands for itself, a folder for every readable file in it and below, and a
/// pattern (`*`, `?`, `[…]`) for what it matches. Each path's files are sorted by name, so the order is the same everywhere.
public func dataFiles(_ paths: [String]) throws -> [URL] {
    guard !paths.isEmpty else { throw DataError("no data files are named: give at least one file, folder or pattern") }
    return try paths.flatMap(dataFiles(in:))
}

private func dataFiles(in path: String) throws -> [URL] {
    let expanded = (path as NSString).expandingTildeInPath
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: expanded, isDirectory: &isFolder) {
        return isFolder.boolValue ? try filesBelow(URL(fileURLWithPath: expanded)) : [try readable(URL(fileURLWithPath: expanded))]
    }
    guard expanded.contains(where: { "*?[".contains($0) }) else {
        throw DataError("\(path): no such file or folder")
    }
    let matches = glob(pattern: expanded)
    guard !matches.isEmpty else { throw DataError("\(path): no file matches this pattern") }
    return try matches.flatMap { match in
        FileManager.default.fileExists(atPath: match, isDirectory: &isFolder) && isFolder.boolValue
            ? try filesBelow(URL(fileURLWithPath: match)) : [try readable(URL(fileURLWithPath: match))]
    }
}

private func readable(_ file: URL) throws -> URL {
    guard FileKind(file) != nil else {
        throw DataError("\(file.path): a file of this kind cannot be read, only \(FileKind.readable)")
    }
    return file
}

private func filesBelow(_ folder: URL) throws -> [URL] {
    let entries = FileManager.default.enumerator(
        at: folder.resolvingSymlinksInPath(), includingPropertiesForKeys: [.isRegularFileKey], options: [.skipsHiddenFiles])
    var files: [URL] = []
    while let entry = entries?.nextObject() as? URL {
        let isFile = try? entry.resolvingSymlinksInPath().resourceValues(forKeys: [.isRegularFileKey]).isRegularFile
        if isFile == true, FileKind(entry) != nil { files.append(entry) }
    }
    guard !files.isEmpty else { throw DataError("\(folder.path): the folder holds no \(FileKind.readable) file") }
    return files.sorted { $0.path < $1.path }
}

private func glob(pattern: String) -> [String] {
    var result = glob_t()
    defer { globfree(&result) }
    guard Foundation.glob(pattern, 0, nil, &result) == 0 else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { index in result.gl_pathv[index].map { String(cString: $0) } }.sorted()
}
